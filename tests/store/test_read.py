"""Which copy of a video is opened, and what follows where it is missing or broken."""

import json

import av
import mmaction.datasets  # noqa: F401
import numpy as np
import pytest
from mmaction.registry import DATASETS, TRANSFORMS

from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.datasets import Grid, MultigridDataset, MultigridTransform, open_grid
from mmaction_multigrid.schedule import Shape
from mmaction_multigrid.store import UseGridStore
from mmaction_multigrid.store.read import copy_path

from ..toy import base_config

PIPELINE = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 64)),
    dict(type='RandomCrop', size=56),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
COARSE, BASE = Shape(16, 2, 28), Shape(1, 8, 56)


def write_video(path, brightness, height=128, frames=12):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w', format='mp4') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = height, height, 'yuv420p'
        for _ in range(frames):
            image = np.full((height, height, 3), brightness, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode())


@pytest.fixture
def store(tmp_path):
    """A video whose original is dark, its copy of 32 pixels grey, and that of 64 bright."""
    write_video(tmp_path / 'videos' / 'a' / 'clip.mp4', 50)
    write_video(tmp_path / 'store' / '32' / 'a' / 'clip.mp4', 120, height=32)
    write_video(tmp_path / 'store' / '64' / 'a' / 'clip.mp4', 200, height=64)
    (tmp_path / 'store' / 'grid_store.json').write_text(json.dumps(dict(sides=[64, 32], finished=True)))
    (tmp_path / 'list.txt').write_text('a/clip.mp4 3\n')
    return tmp_path / 'store'


@pytest.fixture
def dataset(store, tmp_path):
    root = str(tmp_path / 'videos')
    steps = UseGridStore.insert(PIPELINE, str(store), dict(video=root))
    built = MultigridDataset(DATASETS.build(dict(
        type='VideoDataset', ann_file=str(tmp_path / 'list.txt'), data_prefix=dict(video=root),
        pipeline=[MultigridTransform.wrap(step) for step in steps])), (8, 56))
    built.report_to(str(tmp_path / 'report.txt'))
    return built


def brightness(dataset, item):
    clip = dataset[item]['inputs']
    if isinstance(item, tuple):
        assert clip.shape[2:] == (item[1].num_frames, item[1].crop_size, item[1].crop_size)
    return pytest.approx(float(clip.float().mean()), abs=4)


def test_the_smallest_copy_that_is_large_enough(dataset, tmp_path):
    assert brightness(dataset, (0, COARSE)) == 120  # half of 64 pixels
    assert brightness(dataset, (0, Shape(4, 8, 40))) == 200  # 46 pixels
    assert brightness(dataset, (0, BASE)) == 200
    assert brightness(dataset, 0) == 50  # not multigrid training
    assert not (tmp_path / 'report.txt').exists()


@pytest.mark.parametrize(('short_side', 'crop', 'expected'), [
    (256, 112, 128), (256, 158, 182), (256, 159, 182), (256, 160, 256), (256, 224, 256), (320, 112, 182),
    (320, 224, None)])
def test_sides_by_hand(tmp_path, short_side, crop, expected):
    (tmp_path / 'grid_store.json').write_text(json.dumps(dict(sides=[128, 182, 256], finished=True)))
    for side in (128, 182, 256):
        (tmp_path / str(side)).mkdir()
        (tmp_path / str(side) / 'x.avi.mp4').touch()
    step = UseGridStore(str(tmp_path), 'videos', short_side)
    with open_grid(Grid(8, crop, 32, 224)):
        found = step(dict(filename='videos/x.avi'))['filename']
    assert found == ('videos/x.avi' if expected is None else copy_path(str(tmp_path), expected, 'x.avi'))


@pytest.mark.parametrize('damage', ['gone', 'empty', 'cut', 'noise'])
def test_the_original_takes_the_place_of_a_bad_copy(dataset, store, tmp_path, damage):
    copy = store / '32' / 'a' / 'clip.mp4'
    content = copy.read_bytes()
    copy.unlink()
    if damage != 'gone':
        copy.write_bytes(dict(empty=b'', cut=content[:len(content) // 2], noise=content[::-1])[damage])
    assert brightness(dataset, (0, COARSE)) == 50
    assert brightness(dataset, (0, BASE)) == 200
    line, = (tmp_path / 'report.txt').read_text().splitlines()
    name, _, outcome = line.split('\t')
    assert name == str(copy)
    assert outcome == 'the original was read instead'


def test_copy_and_original_gone(dataset, store, tmp_path):
    (store / '32' / 'a' / 'clip.mp4').unlink()
    (tmp_path / 'videos' / 'a' / 'clip.mp4').unlink()
    with pytest.raises(RuntimeError, match='100 clips in a row cannot be loaded'):
        dataset[0, COARSE]


@pytest.mark.parametrize('state', [None, dict(sides=[32])])
def test_no_store_or_a_half_made_one_is_an_error_before_training(tmp_path, state):
    if state:
        (tmp_path / 'grid_store.json').write_text(json.dumps(state))
    with pytest.raises((FileNotFoundError, ValueError), match='grid_store = .*store build'):
        TRANSFORMS.build(dict(type='UseGridStore', store=str(tmp_path), root='', short_side=64))


@pytest.mark.parametrize(('step', 'expected'), [
    (dict(type='Resize', scale=(-1, 256)), 256), (dict(type='Resize', scale=(256, -1)), 256),
    (dict(type='Resize', scale=(340, 256)), 256), (dict(type='Resize', scale=(171, 128), keep_ratio=False), 128),
    (dict(type='RandomRescale', scale_range=(256, 320)), 320)])
def test_short_side_of_a_pipeline(step, expected):
    assert UseGridStore.read_short_side([dict(type='PyAVInit'), step, dict(type='RandomCrop', size=224)]) == expected


@pytest.mark.parametrize(('pipeline', 'message'), [
    ([dict(type='RawFrameDecode'), *PIPELINE[3:]], 'opens no videos'),
    ([*PIPELINE[:3], *PIPELINE[4:]], 'resizes before it crops'),
    ([*PIPELINE[:3], PIPELINE[4], PIPELINE[3]], 'resizes before it crops')])
def test_pipelines_that_cannot_use_a_store(pipeline, message):
    with pytest.raises(ValueError, match=message):
        UseGridStore.insert(pipeline, 'store', None)


def test_one_line_of_a_config_switches_it_on(tmp_path):
    cfg = base_config(tmp_path, grid_store='some/store')
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=dict(
        type='VideoDataset', ann_file='list.txt', data_prefix=dict(video='videos'), pipeline=PIPELINE))
    pipeline = apply_multigrid(cfg).train_dataloader.dataset.dataset.dataset.pipeline
    assert pipeline[0] == dict(type='UseGridStore', store='some/store', root='videos', short_side=64)
    assert pipeline[1].type == 'DecordInit'
    assert 'UseGridStore' not in str(apply_multigrid(cfg).val_dataloader)
    cfg.multigrid.grid_store = None
    assert 'UseGridStore' not in str(apply_multigrid(cfg))
    for value, error in ((5, TypeError), ('', ValueError)):
        cfg.multigrid.grid_store = value
        with pytest.raises(error, match=f'multigrid.grid_store = {value!r}: must be the path of a folder'):
            apply_multigrid(cfg)
