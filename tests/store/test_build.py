"""Building a grid store: copies whose frames are the originals', made once, whatever breaks off."""

import json

import decord
import numpy as np
import pytest
from mmengine.config import Config

from mmaction_multigrid.store import build as tool

from ..conftest import ROOT
from ..small import run, scalars

BUILD = ('-m', 'mmaction_multigrid', 'store', 'build')


@pytest.fixture(scope='module')
def config(tmp_path_factory, small_config):
    """Two stages: crops of 24, 34 and 48 pixels of frames with a short side of 56."""
    path = tmp_path_factory.mktemp('config') / 'multigrid.py'
    path.write_text(f"_base_ = ['{small_config}']\n")
    return path


@pytest.fixture(scope='module')
def store(tmp_path_factory, digits, config):
    folder = tmp_path_factory.mktemp('store') / 'store'
    out = run(*BUILD, digits / 'train.txt', folder, '--root', digits, '--config', config, '--processes', 1)
    assert 'the store will take' in out
    assert '24 videos with short sides of 28, 40, 56 pixels' in out
    return folder


def read(path):
    return decord.VideoReader(str(path), num_threads=1)[:].asnumpy().astype(int)


def test_frames_mean_the_same_in_every_copy(store, digits):
    original = read(digits / 'videos' / 'train' / '00003.mp4')
    for side in (28, 40, 56):
        copy = read(store / str(side) / 'videos' / 'train' / '00003.mp4')
        assert copy.shape == (20, side, side, 3)
        small = np.stack([tool.cv2.resize(frame.astype(np.uint8), (side, side), interpolation=tool.cv2.INTER_AREA)
                          for frame in original]).astype(int)
        # Each frame is nearest to its own, and near, for video of noise.
        distance = np.abs(copy[:, None] - small[None]).mean((2, 3, 4))
        assert (distance.argmin(1) == np.arange(20)).all()
        assert distance.diagonal().max() < 12


def test_a_second_call_writes_nothing(store, digits, config):
    before = {path: path.stat().st_mtime_ns for path in store.rglob('*.mp4')}
    assert len(before) == 72
    run(*BUILD, digits / 'train.txt', store, '--root', digits, '--config', config, '--processes', 1)
    assert {path: path.stat().st_mtime_ns for path in store.rglob('*.mp4')} == before


def make(digits, out, names, **settings):
    return tool.build(names, digits, out, tool.Settings(**{'sides': (28, ), **settings}), processes=1)


def names(count):
    return [f'videos/train/{i:05d}.mp4' for i in range(count)]


def test_it_goes_on_where_it_was_broken_off(tmp_path, digits, capsys):
    make(digits, tmp_path, names(2))
    first = tmp_path / '28' / names(1)[0]
    made = first.stat().st_mtime_ns
    # As a kill leaves it: unfinished, with half a line and half a copy.
    manifest = json.loads((tmp_path / 'grid_store.json').read_text())
    del manifest['finished'], manifest['videos']
    (tmp_path / 'grid_store.json').write_text(json.dumps(manifest))
    done = tmp_path / 'done.txt'
    line = next(line for line in done.read_text().splitlines(keepends=True) if line.startswith(names(1)[0]))
    done.write_text(line + names(2)[1][:10])
    (tmp_path / '28' / (names(2)[1] + '.part')).write_bytes(b'half')
    result = make(digits, tmp_path, names(3))
    assert (result['videos'], result['failed']) == (3, [])
    assert first.stat().st_mtime_ns == made
    assert not list(tmp_path.rglob('*.part'))
    assert json.loads((tmp_path / 'grid_store.json').read_text())['finished']


def test_broken_originals_are_listed_and_tried_again(tmp_path, digits, capsys):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'good.mp4').write_bytes((digits / names(1)[0]).read_bytes())
    (tmp_path / 'in' / 'bad.mp4').write_bytes(b'no video')
    for _ in range(2):
        result = tool.build(['good.mp4', 'bad.mp4', 'gone.mp4'], tmp_path / 'in', tmp_path / 'out', tool.Settings((32, )),
                            processes=1)
        assert result['videos'] == 1
        assert sorted(result['failed']) == ['bad.mp4', 'gone.mp4']
        lines = (tmp_path / 'out' / 'failed.txt').read_text().splitlines()
        assert sorted(line.split('\t')[0] for line in lines) == ['bad.mp4', 'gone.mp4']
    assert [path.name for path in (tmp_path / 'out').rglob('*.mp4')] == ['good.mp4']


def test_what_is_refused(tmp_path, digits, capsys, monkeypatch):
    make(digits, tmp_path / 'out', names(1))
    with pytest.raises(ValueError, match='a store of other settings'):
        make(digits, tmp_path / 'out', names(1), gop=4)
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'thesis.tex').touch()
    with pytest.raises(ValueError, match='must be new, an empty folder or a grid store'):
        make(digits, tmp_path / 'mine', names(1))
    monkeypatch.setattr(tool.shutil, 'disk_usage', lambda path: tool.shutil._ntuple_diskusage(10, 10, 10))
    monkeypatch.setattr(tool, 'SAMPLE', 1)
    with pytest.raises(ValueError, match='does not fit'):
        make(digits, tmp_path / 'full', names(3))
    for settings, message in ((dict(sides=()), 'sides'), (dict(sides=(8, )), 'sides'), (dict(gop=0), 'gop'),
                              (dict(crf=60), 'crf')):
        with pytest.raises(ValueError, match=message):
            tool.Settings(**{'sides': (32, ), **settings})
    (tmp_path / 'empty.txt').touch()
    with pytest.raises(ValueError, match='names no video'):
        tool.read_list(tmp_path / 'empty.txt')


def test_sides_of_a_config(config):
    assert tool.sides_of(Config.fromfile(config)) == (28, 40, 56)
    assert tool.Settings((28, 40, 79, 28)).sides == (28, 40, 80)


def test_training_reads_the_copies(store, config, trained, tmp_path):
    """All is the same but for the pixels; those copies that are lost are read from their originals."""
    (tmp_path / 'store').mkdir()
    for entry in ('grid_store.json', '28', '56'):
        (tmp_path / 'store' / entry).symlink_to(store / entry)
    run(ROOT / 'tools' / 'train.py', config, '--work-dir', tmp_path / 'run', '--cfg-options',
        f'multigrid.grid_store={tmp_path / "store"}')
    plain, ours = scalars(trained), scalars(tmp_path / 'run')
    losses = [[entry.pop('loss') for entry in entries] for entries in (plain, ours)]
    assert plain == ours
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], abs=0.3)
    lost = [line.split('\t')[1] for line in (tmp_path / 'run' / 'bad_videos.txt').read_text().splitlines()]
    assert lost
    assert all(name.startswith(str(tmp_path / 'store' / '40')) for name in lost)
    log, = (tmp_path / 'run').rglob('*.log')
    assert log.read_text().count('the original was read instead') == min(len(lost), 10)  # no more are named
