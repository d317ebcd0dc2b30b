"""Run the command ``check``."""

import re
from pathlib import Path

import pytest
from mmaction_multigrid import multigrid_schedule
from mmaction_multigrid.__main__ import main
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.frame_store.estimate import PARTS
from mmaction_multigrid.profiling import steps
from mmaction_multigrid.profiling.steps import StepProfile, profile_steps
from mmaction_multigrid.profiling.warnings import shape_warnings
from mmengine.config import Config

from ..stock_paths.families import FAMILIES
from ..toy import base_config


@pytest.fixture
def command(capsys, monkeypatch):
    """Run the command with few steps; return status, stdout and stderr."""
    monkeypatch.setattr(steps, 'STEP_SECONDS', 0)
    monkeypatch.setattr(steps, 'LOAD_SECONDS', 0.1)

    def call(*args):
        status = main(['check', *map(str, args)])
        return (status, *capsys.readouterr())

    return call


@pytest.mark.parametrize(('changed', 'text'), [
    (dict(), ''),
    (dict(warnings=['a warning']), 'a warning'),
    (dict(peak_memory=116),
     '2 frames x 8 pixels needs 1.16 times the memory of the base shape'),
    (dict(error='RuntimeError: no'),
     '2 frames x 8 pixels fails: RuntimeError: no'),
    (dict(loss=float('nan')), '2 frames x 8 pixels fails: loss = nan'),
])
def test_warnings(tmp_path, changed, text):
    schedule, _ = multigrid_schedule(base_config(tmp_path))
    base = StepProfile(Shape(1, 8, 16), 1, loss=0.7, peak_memory=100)
    coarse = StepProfile(
        Shape(16, 2, 8), 16, **{
            'loss': 0.7,
            'peak_memory': 114,
            **changed
        })
    found = shape_warnings(schedule, [base, coarse])
    assert len(found) == bool(text)
    assert not text or text in found[0]


def test_shapes_at_the_limits_of_a_model(tmp_path):
    small, base = profile_steps(
        base_config(tmp_path).model,
        [Shape(16, 2, 2), Shape(1, 8, 16)], 2)
    crop, frames = small.warnings
    assert 'a crop of 2 pixels leaves the head 2 x 2 positions' in crop
    assert 'clips of 2 frames are shorter than a convolution' in frames
    assert small.works and small.clips == 32 and not base.warnings


def test_the_command(small_config, command):
    """Measure loading, too."""
    status, out, err = command(small_config)
    assert status == 0
    assert '16 x 4 x 24' in out and '1 x 16 x 48' in out
    assert 'speed-up:' in out
    assert 'forecast for 24 clips on this device' in out
    rows = [re.split(r'\s{2,}', line.strip()) for line in out.splitlines()]
    parts = {row[0]: row[1:] for row in rows if len(row) == 3}
    assert list(parts)[-2:] == ['iterations', 'training']
    # Four base epochs of 24 clips, one clip an iteration.
    assert parts['iterations'][1] == '96' and int(parts['iterations'][0]) < 40
    for seconds in parts['training']:
        assert re.fullmatch(r'\d+:\d\d:\d\d', seconds)
    assert ('WARNING: the largest batch of all processes, 16 clips, is '
            'more than a tenth of the dataset (24 clips); lower '
            'multigrid.max_batch_factor') in out
    assert re.search(
        'WARNING: training waits for data; set '
        r'train_dataloader\.num_workers = [1-9]', out)
    assert 'loading' in err.splitlines()


def test_the_command_without_the_data_where_a_shape_fails(
        small_config, command):
    nowhere = [
        f'{split}_dataloader.dataset.ann_file=nowhere.txt'
        for split in ('train', 'val')
    ]
    status, out, err = command(small_config, '--cfg-options', *nowhere)
    assert status == 0 and 'give --clips' in out
    assert 'no clip can be loaded: FileNotFoundError' in err
    channels = Config.fromfile(small_config).model.cls_head.in_channels
    status, out, _ = command(small_config, '--cfg-options', *nowhere,
                             f'model.cls_head.in_channels={channels + 1}')
    assert status == 1
    assert 'fails: RuntimeError' in out and 'speed-up' not in out


def test_a_config_without_multigrid(small_config, command, tmp_path):
    plain, cfg = tmp_path / 'plain.py', Config.fromfile(small_config)
    cfg.pop('multigrid'), cfg.pop('runner_type')
    cfg.dump(plain)
    option = 'train_dataloader.dataset.test_mode=False'
    status, out, _ = command(plain, '--cfg-options', option)
    rows = dict(
        re.split(r'\s{2,}', line.strip(), maxsplit=1)
        for line in out.splitlines() if '  ' in line)
    assert status == 0 and '1 x 16 x 48' in rows
    times = [re.findall(r'(\S+) ms', rows[part]) for part in PARTS]
    assert [*map(len, times)] == [2, 2, 2] and min(map(float, times[0])) > 0
    assert re.fullmatch(r'[1-9]\d* +[1-9]\d*',
                        rows['train_dataloader.num_workers that keeps up'])
    assert 'a frame store of 24 videos takes about 0.00' in out
    assert (f'store build STORE --config {plain} --cfg-options {option}\n'
            in out)

    dataset = 'train_dataloader.dataset.'
    (tmp_path / 'broken.mp4').touch()
    some = tmp_path / 'some.txt'
    good = Path(cfg.train_dataloader.dataset.ann_file).read_text()
    folder = Path(cfg.train_dataloader.dataset.data_prefix.video).absolute()
    some.write_text(f'{tmp_path}/broken.mp4 0\n' +
                    ''.join(f'{folder}/{line}\n'
                            for line in good.splitlines()[:2]))
    status, out, _ = command(plain, '--cfg-options',
                             f'{dataset}ann_file={some}')
    assert status == 0 and out.count('broken.mp4: is left out. ') == 1
    assert 'a frame store of 3 videos takes about ' in out

    status, out, _ = command(plain, '--cfg-options',
                             f'{dataset}ann_file=nowhere.txt')
    assert status == 0
    assert 'no clip is loaded: FileNotFoundError: nowhere.txt' in out
    steps = cfg.train_dataloader.dataset.pipeline
    steps[:] = [step for step in steps if step.type != 'Resize']
    cfg.dump(plain)
    status, out, _ = command(plain)
    assert status == 0 and 'store build' not in out
    assert 'not from a frame store: ValueError: frame store: needs' in out
    assert 'open, sample and decode' in out


@pytest.mark.filterwarnings('ignore:torch.meshgrid')
@pytest.mark.filterwarnings('ignore:torch.utils.checkpoint')
@pytest.mark.parametrize('family', sorted(set(FAMILIES) - {'i3d_16'}))
def test_every_shape_of_a_stock_config_is_measured(family, tmp_path, command):
    """Inherit the scope and the clips of each family."""
    (tmp_path / 'config.py').write_text(FAMILIES[family].text('nowhere'))
    status, out, err = command(
        tmp_path / 'config.py', '--clips', 64, '--device', 'cpu',
        '--cfg-options', 'multigrid.short_cycle=False',
        'multigrid.long_cycle_factors=[(0.5,0.5),(1,1)]')
    assert status == 0 and 'speed-up: ' in out
    assert 'fails: ' not in out and 'failed' not in out
    assert re.search('^steps .*100%', err, re.MULTILINE)


def test_a_detector_without_mmdet_is_refused_in_a_line(command):
    status, _, err = command(
        'mmaction::detection/slowfast/'
        'slowfast_kinetics400-pretrained-r50_8xb8-8x8x1-20e_ava21-rgb.py',
        '--clips', 64, '--cfg-options', 'multigrid.epoch_factor=1.5')
    assert status == 2
    assert 'check: model: ' in err and ' is not in the mmaction::' in err
