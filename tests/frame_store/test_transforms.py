"""Choose the file of a clip; replace copies that are damaged."""

import json
import pickle
import shutil
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.config.pipeline import wrap_pipeline
from mmaction_multigrid.core.dataset import ClipShape, clip_shape
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.frame_store import GridStoreInit
from mmaction_multigrid.frame_store.index import Index
from mmaction_multigrid.frame_store.mjpeg import FRAME

import mmaction.datasets  # noqa: F401
from mmaction.registry import DATASETS, TRANSFORMS
from ..toy import base_config, tolerant_dataset
from ..videos import encode
from .making import make_store

PIPELINE = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 64)),
    dict(type='RandomCrop', size=56),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
COARSE, FINE, BASE = Shape(16, 2, 28), Shape(2, 4, 56), Shape(1, 8, 56)
NAME = 'a/clip.mp4'


def copy_of(store, short_edge):
    index = Index(store)
    return Path(index.path(0, index.short_edges.index(short_edge)))


@pytest.fixture
def store(tmp_path):
    """Store copies of 32 and 64 pixels of 12 frames of 128."""
    (tmp_path / 'videos' / 'a').mkdir(parents=True)
    encode(tmp_path / 'videos' / NAME, 12, 128, 128, grain=16)
    make_store(tmp_path / 'videos', tmp_path / 'store', [NAME])
    (tmp_path / 'list.txt').write_text(f'{NAME} 3\n')
    return tmp_path / 'store'


def config_of(tmp_path):
    return dict(
        type='VideoDataset',
        ann_file=str(tmp_path / 'list.txt'),
        data_prefix=dict(video=str(tmp_path / 'videos')),
        pipeline=PIPELINE)


def make_dataset(tmp_path, store, full=False, **settings):
    config = dict(config_of(tmp_path), **settings)
    if store:
        config['pipeline'] = GridStoreInit.insert(config, str(store), full)
    config['pipeline'] = wrap_pipeline(config['pipeline'])
    built = tolerant_dataset(DATASETS.build(config), (8, 56))
    built.watch(report=str(tmp_path / 'report.txt'))
    return built


@pytest.fixture
def dataset(store, tmp_path):
    return make_dataset(tmp_path, store)


def clip_of(dataset, shape, epoch=0):
    dataset.set_epoch(0, epoch)
    return dataset[0, shape]['inputs'].float()


def distance(a, b):
    return float((a - b).abs().mean())


def find_copy(tmp_path, store, shape, full=False):
    """Return the results of the first transform, and the second one."""
    steps = GridStoreInit.insert(config_of(tmp_path), str(store), full)
    info = dict(filename=str(tmp_path / 'videos' / NAME), start_index=0)
    with clip_shape(ClipShape(*shape, 8, 56)) if shape else nullcontext():
        results = TRANSFORMS.build(steps[0])(info)
    assert results['total_frames'] == 12
    return results, TRANSFORMS.build(steps[2])


@pytest.mark.parametrize(('shape', 'full', 'short_edge'),
                         [((2, 28), False, 32), ((8, 29), False, 64),
                          ((8, 40), False, 64), ((4, 56), False, 64),
                          ((8, 56), False, None), ((8, 56), True, 64),
                          ((8, 58), True, None), (None, False, None),
                          (None, True, 64)])  # none: without multigrid
def test_the_smallest_sufficient_copy_is_read(store, tmp_path, shape, full,
                                              short_edge):
    results, _ = find_copy(tmp_path, store, shape, full)
    init, row, found = results.get('grid_copy', (None, None, None))
    assert (init and init.index.short_edges[found]) == short_edge
    assert ('video_reader' in results) == (short_edge is None)


def read(tmp_path, store, wanted):
    """Read frames of the copy of 32 pixels."""
    results, decode = find_copy(tmp_path, store, (8, 28))
    return decode(dict(results, frame_inds=np.array(wanted)))['imgs']


def test_repeated_frames_are_separate_arrays(store, tmp_path):
    imgs = read(tmp_path, store, [3, 5, 3])
    cv2.flip(imgs[0], 1, imgs[0])
    assert (imgs[0][:, ::-1] == imgs[2]).all() != (imgs[0] == imgs[2]).all()


def damage(store, kind):
    """Damage or remove the copy of 32 pixels."""
    copy = copy_of(store, 32)
    content, row = copy.read_bytes(), Index(store).videos['copies'][0, 0]
    table = int(row['size'] - row['rows'] * FRAME.itemsize)
    begins = np.frombuffer(content[table:], FRAME)['begin'][:12].tolist()
    copy.unlink()
    if kind != 'gone':
        copy.write_bytes({
            'empty':
            b'',
            'cut':
            content[:begins[6]],
            'one bit of each frame':
            bytes(byte ^ (i - 200 in begins)
                  for i, byte in enumerate(content)),
            'one bit of the table':
            bytes(byte ^ (i == table + 60) for i, byte in enumerate(content)),
            'another copy':
            copy_of(store, 64).read_bytes(),
        }[kind])


@pytest.mark.parametrize('kind', [
    'gone', 'empty', 'cut', 'one bit of each frame', 'one bit of the table',
    'another copy'
])
def test_the_original_takes_the_place_of_a_bad_copy(dataset, store, tmp_path,
                                                    kind):
    damage(store, kind)
    plain = make_dataset(tmp_path, None)
    for epoch in range(4):
        # Of the same frames that were drawn for the copy.
        with pytest.warns(
                UserWarning, match=f'^{store}: has missing or damaged copies'):
            ours = clip_of(dataset, Shape(16, 8, 28), epoch)
        theirs = clip_of(plain, Shape(16, 8, 28), epoch)
        assert distance(ours, theirs) == 0
    clip_of(dataset, FINE)
    assert not (tmp_path / 'report.txt').exists()
    assert dataset.tries == (5, 0)


@pytest.mark.parametrize('changed', ['content', 'reader'])
def test_a_store_of_other_videos(store, tmp_path, changed):
    folder = tmp_path / 'videos'
    if changed == 'reader':
        shutil.rmtree(store)
        make_store(folder, store, [NAME], 'pyav')
    else:
        encode(folder / NAME, 20, 128, 128)
    plain, dataset = (make_dataset(tmp_path, one) for one in (None, store))
    for _ in range(2):  # the second time, too
        with pytest.warns(UserWarning, match=f'^{store}: lacks videos'):
            ours = clip_of(dataset, COARSE)
        assert distance(ours, clip_of(plain, COARSE)) == 0


INDEX = 'its index.npy is broken'


@pytest.mark.parametrize(('change', 'message'), [
    (None, 'has no grid_store.json.*store build'),
    ('{', 'grid_store.json is broken'),
    (dict(version=3), 'is of version 3, .* reads and writes version 5'),
    (dict(short_edges=[32]), f'{INDEX}.*of another store'),
    ('gone', 'is not finished.*store build'),
    ('cut', INDEX),
    ('empty', INDEX),
])
def test_an_unusable_store_is_an_error_before_training(store, tmp_path, change,
                                                       message):
    path = store / 'grid_store.json'
    if change in ('gone', 'cut', 'empty'):
        path = store / 'index.npy'
    content = path.read_bytes()
    path.unlink()
    if isinstance(change, dict):
        path.write_text(json.dumps({**json.loads(content), **change}))
    elif change not in (None, 'gone'):
        path.write_bytes({
            '{': b'{',
            'cut': content[:-1],
            'empty': b''
        }[change])
    with pytest.raises((FileNotFoundError, ValueError),
                       match=f'(?s)^frame store .*{message}'):
        make_dataset(tmp_path, store)


def test_full_clips_need_full_copies(tmp_path, store):
    steps = [*PIPELINE[:3], dict(type='Resize', scale=(-1, 80)), *PIPELINE[4:]]
    with pytest.raises(
            ValueError,
            match='frame store .*: its largest .* 64 pixels, '
            'and full .* 80.*--sides 32 64 80`'):
        make_dataset(tmp_path, store, full=True, pipeline=steps)


def test_workers_map_the_index(store):
    content = pickle.dumps(Index(store))
    assert len(content) < 1000  # without its arrays
    for index in (Index(store), pickle.loads(content)):
        assert isinstance(index.videos.base, np.memmap)
        assert index.videos.base.mode == 'r'  # others may own the store


def test_one_line_of_a_config_enables_the_store(tmp_path):
    cfg = base_config(tmp_path, grid_store='some/store', grid_store_full=True)
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(
            config_of(tmp_path),
            data_root='data/k400',
            data_prefix=dict(video='videos')))
    resolved = apply_multigrid(cfg)
    steps = resolved.train_dataloader.dataset.dataset.dataset.dataset.pipeline
    assert steps[0] == dict(
        type='GridStoreInit',
        store='some/store',
        short_edge=64,
        full_grid=True,
        original=dict(type='DecordInit'))
    assert steps[2] == dict(
        type='GridStoreDecode', original=dict(type='DecordDecode'))
    assert ([step.type for step in steps[3:6]
             ] == ['MultigridTransform', 'MultigridTransform', 'FuseOnGrid'])
    assert apply_multigrid(resolved).pretty_text == resolved.pretty_text
    assert 'GridStore' not in str(resolved.val_dataloader)
