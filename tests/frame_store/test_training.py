"""A run from a store of some of its videos, beside one without a store."""

import pytest

from mmaction_multigrid.__main__ import main

from ..conftest import ROOT
from ..small import run, scalars


def build(capsys, *args):
    """What the command says."""
    assert main(['store', 'build', *map(str, args), '--processes', '1']) == 0
    return capsys.readouterr().out


@pytest.fixture(scope='module')
def config(tmp_path_factory, small_config):
    """Two stages: crops of 24, 34 and 48 pixels of frames with a short side of 56."""
    path = tmp_path_factory.mktemp('config') / 'multigrid.py'
    path.write_text(f"_base_ = ['{small_config}']\n")
    return path


def build_part(capsys, digits, config, folder):
    """Of a third of the videos."""
    some = folder / 'some.txt'
    some.write_text(''.join((digits / 'train.txt').read_text().splitlines(keepends=True)[::3]))
    out = build(capsys, some, folder / 'store', '--root', digits, '--config', config)
    assert 'these 8 videos will take' in out
    assert '8 of these 8 videos with short sides of 28, 40 pixels' in out


def train(config, store, work_dir, *options):
    run(ROOT / 'tools' / 'train.py', config, '--work-dir', work_dir, '--cfg-options', f'multigrid.grid_store={store}',
        *options)
    return scalars(work_dir), sorted(work_dir.rglob('*.log'))[0].read_text()


def losses(entries):
    return [entry['loss'] for entry in entries]


def without_losses(entries):
    return [{key: value for key, value in entry.items() if key != 'loss'} for entry in entries]


def test_training_from_a_store(digits, config, trained, tmp_path, capsys):
    """All is as without one but the pixels; videos that are not in the store are read from their originals."""
    plain = scalars(trained)
    build_part(capsys, digits, config, tmp_path)
    ours, log = train(config, tmp_path / 'store', tmp_path / 'run')
    assert without_losses(plain) == without_losses(ours)
    assert losses(plain) != losses(ours)
    assert losses(plain) == pytest.approx(losses(ours), abs=0.3)
    report = tmp_path / 'run' / 'bad_videos.txt'
    lines = report.read_text().splitlines()
    assert len(lines) == 16
    assert all(line.startswith('1\t') and 'is not in the grid store' in line for line in lines)
    assert log.count('the original was read instead') == 10  # the others are counted
