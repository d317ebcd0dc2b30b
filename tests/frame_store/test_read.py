"""What a clip is read from, and what follows where a copy is missing or damaged."""

import json
import os
import pickle
import shutil
from pathlib import Path

import cv2
import mmaction.datasets  # noqa: F401
import numpy as np
import pytest
from mmaction.registry import DATASETS, TRANSFORMS

from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.datasets import Grid, MultigridDataset, MultigridTransform, open_grid
from mmaction_multigrid.schedule import Shape
from mmaction_multigrid.frame_store import GridStoreInit
from mmaction_multigrid.frame_store.build import build
from mmaction_multigrid.frame_store.copying import Settings
from mmaction_multigrid.frame_store.index import Index, open_index
from mmaction_multigrid.frame_store.names import copy_path
from mmaction_multigrid.frame_store.sources import source_of

from ..toy import base_config
from ..videos import encode

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


def copy_of(store, side, row=0):
    return Path(copy_path(str(store), side, Index(str(store)).key(row)))


def video_source(root, name=NAME, reader='decord'):
    return source_of(dict(filename=str(root / name)), str(root), reader)


@pytest.fixture
def store(tmp_path):
    """A video of 12 frames of 128 pixels, its copies of 32 and 64, and a list of it."""
    (tmp_path / 'videos' / 'a').mkdir(parents=True)
    encode(tmp_path / 'videos' / NAME, 12, 128, 128, grain=16)
    build([video_source(tmp_path / 'videos')], tmp_path / 'store', Settings((32, 64)), processes=1)
    (tmp_path / 'list.txt').write_text(f'{NAME} 3\n')
    return tmp_path / 'store'


def make_dataset(tmp_path, store, full=False, **settings):
    config = dict(type='VideoDataset', ann_file=str(tmp_path / 'list.txt'), pipeline=PIPELINE,
                  data_prefix=dict(video=str(tmp_path / 'videos')))
    config.update(settings)
    if store:
        config['pipeline'] = GridStoreInit.insert(config, str(store), full)
    config['pipeline'] = MultigridTransform.wrap_pipeline(config['pipeline'])
    built = MultigridDataset(DATASETS.build(config), (8, 56))
    built.report_to(str(tmp_path / 'report.txt'))
    built.set_epoch(0, 0)
    return built


@pytest.fixture
def dataset(store, tmp_path):
    return make_dataset(tmp_path, store)


@pytest.fixture
def opened(monkeypatch):
    """The files that clips are read from, as they are opened."""
    paths = []
    real, decord = os.open, TRANSFORMS.get('DecordInit')._get_video_reader
    monkeypatch.setattr('mmaction_multigrid.frame_store.avi.os.open',
                        lambda path, *args, **kwargs: paths.append(path) or real(path, *args, **kwargs))
    monkeypatch.setattr(TRANSFORMS.get('DecordInit'), '_get_video_reader',
                        lambda self, path: paths.append(path) or decord(self, path))
    return paths


def clip_of(dataset, item):
    clip = dataset[item]['inputs']
    if isinstance(item, tuple):
        assert clip.shape[2:] == (item[1].num_frames, item[1].crop_size, item[1].crop_size)
    return clip


def distance(a, b):
    return float((a.float() - b.float()).abs().mean())


def test_the_smallest_copy_that_is_large_enough(dataset, store, tmp_path, opened):
    original = str(tmp_path / 'videos' / NAME)
    for item, expected in (
        ((0, COARSE), str(copy_of(store, 32))),
        ((0, Shape(4, 8, 40)), str(copy_of(store, 64))),  # 46 pixels
        ((0, FINE), str(copy_of(store, 64))),
        ((0, BASE), original),
        (0, original)):  # the full grid; not multigrid training
        opened.clear()
        clip_of(dataset, item)
        assert opened == [expected]
    clip_of(make_dataset(tmp_path, store, full=True), (0, BASE))
    assert opened[-1] == str(copy_of(store, 64))
    assert not (tmp_path / 'report.txt').exists()


def test_a_clip_of_a_copy_is_that_of_the_original(dataset, tmp_path):
    """The same frames and the same crops: a moving picture of noise would tell."""
    plain = make_dataset(tmp_path, None)
    for shape in (COARSE, Shape(4, 8, 40), FINE):
        for epoch in range(4):
            clips = []
            for data in (dataset, plain):
                data.set_epoch(0, epoch)
                clips.append(clip_of(data, (0, shape)))
            ours, theirs = (clip.float().mean(1) for clip in clips)  # of these wild colours JPEG keeps a quarter
            assert distance(ours, theirs) < 4  # grey levels
            assert distance(ours, theirs.roll(1, 1)) > 8  # another frame


@pytest.mark.parametrize(('short_side', 'crop', 'expected'), [
    (256, 112, 128), (256, 158, 181), (256, 159, 256), (256, 224, 256), (320, 112, 181), (320, 224, None),
    (None, 112, 128), (None, 113, 181), (None, 223, 256)])
def test_sides_by_hand(tmp_path, monkeypatch, short_side, crop, expected):
    """The original has 256 pixels; None: a share of them is cropped."""
    step = object.__new__(GridStoreInit)
    step.index, step.short_side = type('Index', (), dict(sides=(128, 181, 256))), short_side
    found = step._find_side(Grid(8, crop, 32, 224), 256)
    assert (None if found is None else step.index.sides[found]) == expected


def damage(store, tmp_path, kind):
    """Damage the copy of 32 pixels; what belongs into the report."""
    copy = copy_of(store, 32)
    content = copy.read_bytes()
    frames = Index(str(store)).copy(0, 0).frames['offset']
    middle = int(frames[len(frames) // 2])
    if kind == 'gone':
        copy.unlink()
        return 'No such file'
    copy.write_bytes({
        'empty':
        b'',
        'cut':
        content[:middle],
        'zeros':
        bytes(len(content)),
        'backwards':
        content[::-1],
        'one bit of each frame':
        bytes(byte ^ (i in frames + 200) for i, byte in enumerate(content)),
        'another copy':
        copy_of(store, 64).read_bytes()
    }[kind])
    return 'is damaged'


@pytest.mark.parametrize('kind', ['gone', 'empty', 'cut', 'zeros', 'backwards', 'one bit of each frame', 'another copy'])
def test_the_original_takes_the_place_of_a_bad_copy(dataset, store, tmp_path, kind):
    message = damage(store, tmp_path, kind)
    plain = make_dataset(tmp_path, None)
    for epoch in range(4):
        for data in (dataset, plain):
            data.set_epoch(0, epoch)
        # Of the very frames that were drawn for the copy.
        assert distance(clip_of(dataset, (0, Shape(16, 8, 28))), clip_of(plain, (0, Shape(16, 8, 28)))) == 0
    clip_of(dataset, (0, FINE))
    line, = (tmp_path / 'report.txt').read_text().splitlines()  # one, though it was met four times
    name, error, outcome = line.split('\t')
    assert name == str(copy_of(store, 32))
    assert message in error
    assert outcome == 'the original was read instead'
    assert dataset.tries == (5, 0)


def other_length(store, tmp_path):
    encode(tmp_path / 'videos' / NAME, 20, 128, 128)
    return 'is not in the grid store, which has 1 other files of its name'


def other_reader(store, tmp_path):
    shutil.rmtree(store)
    build([video_source(tmp_path / 'videos', reader='pyav')], store, Settings((32, 64)), processes=1)
    return 'other files of its name, read by pyav'


def not_in_it(store, tmp_path):
    encode(tmp_path / 'videos' / 'other.mp4', 16, 128, 128)
    (tmp_path / 'list.txt').write_text('other.mp4 3\n')
    return 'other.mp4: is not in the grid store'


@pytest.mark.parametrize('change', [other_length, other_reader, not_in_it])
def test_a_store_that_is_not_of_these_videos(store, tmp_path, change):
    message = change(store, tmp_path)
    dataset, plain = make_dataset(tmp_path, store), make_dataset(tmp_path, None)
    dataset.report_to(str(tmp_path / 'report.txt'))
    for _ in range(2):  # the second time, too
        assert distance(clip_of(dataset, (0, COARSE)), clip_of(plain, (0, COARSE))) == 0
    line, = (tmp_path / 'report.txt').read_text().splitlines()
    assert message in line


def test_the_original_may_be_gone(dataset, store, tmp_path):
    (tmp_path / 'videos' / NAME).unlink()
    clip_of(dataset, (0, COARSE))
    assert not (tmp_path / 'report.txt').exists()
    clip_of(make_dataset(tmp_path, store), (0, COARSE))  # the check of the first clips knows the store
    copy_of(store, 32).unlink()
    with pytest.raises(RuntimeError, match='100 clips in a row cannot be loaded'):
        dataset[0, COARSE]
    copy_of(store, 64).unlink()
    with pytest.raises(FileNotFoundError, match='none of the first 1 clips'):
        make_dataset(tmp_path, store)


def no_manifest(store):
    (store / 'grid_store.json').unlink()


def change_manifest(**changes):
    def change(store):
        manifest = json.loads((store / 'grid_store.json').read_text())
        manifest.update(changes)
        (store / 'grid_store.json').write_text(json.dumps(manifest))
    return change


def no_index(store):
    shutil.rmtree(next(store.glob('index*')))


def cut_index(store):
    path = next(store.glob('index*')) / 'videos.npy'
    path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize(('change', 'message'), [
    (no_manifest, 'has no grid_store.json.*store build'), (change_manifest(version=1), 'is of version 1'),
    (change_manifest(index=None), 'is not finished.*store build'), (change_manifest(sides=[32]), 'of another store'),
    (lambda store: (store / 'grid_store.json').write_text('{'), 'grid_store.json is broken'),
    (no_index, 'its index is missing or broken'), (cut_index, 'its index is missing or broken')])
def test_a_store_that_cannot_be_used_is_an_error_before_training(store, tmp_path, change, message):
    change(store)
    with pytest.raises((FileNotFoundError, ValueError), match=f'(?s)^multigrid.grid_store = .*{message}'):
        make_dataset(tmp_path, store)


def test_full_clips_need_full_copies(tmp_path, store):
    steps = [dict(PIPELINE[3], scale=(-1, 80)) if step['type'] == 'Resize' else step for step in PIPELINE]
    with pytest.raises(ValueError, match='grid_store_full = True: the largest .* 64 pixels, and full .* 80.*--full'):
        make_dataset(tmp_path, store, full=True, pipeline=steps)


def test_every_second_frame(tmp_path, store):
    """A frame that is not there is the one after it, which is as near as the one before."""
    half = tmp_path / 'half'
    build([video_source(tmp_path / 'videos')], half, Settings((32, 64), frame_stride=2), processes=1)
    step = TRANSFORMS.build(dict(type='GridStoreInit', store=str(half), root=str(tmp_path / 'videos'), short_side=64,
                                 original=dict(type='DecordInit')))
    decode = TRANSFORMS.build(dict(type='GridStoreDecode', original=dict(type='DecordDecode')))
    whole = TRANSFORMS.build(dict(type='GridStoreInit', store=str(store), root=str(tmp_path / 'videos'), short_side=64,
                                  original=dict(type='DecordInit')))
    frames = []
    for opener, wanted in ((step, np.arange(12)), (whole, np.array([0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 10]))):
        with open_grid(Grid(8, 28, 8, 56)):
            results = opener(dict(filename=str(tmp_path / 'videos' / NAME), start_index=0))
            assert results['total_frames'] == 12
            frames.append(decode(dict(results, frame_inds=wanted))['imgs'])
    for ours, theirs in zip(*frames):
        np.testing.assert_array_equal(ours, theirs)


def test_nothing_is_left_open(dataset, store):
    """Neither handles nor memory grow with the clips that were read."""
    def state():
        with open('/proc/self/statm') as file:
            return len(os.listdir('/proc/self/fd')), int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')

    for _ in range(200):
        clip_of(dataset, (0, COARSE))
    before = state()
    for _ in range(1000):
        dataset[0, COARSE]
    handles, memory = state()
    assert handles == before[0]
    assert memory < before[1] + 4 * 2**20


def test_workers_share_one_index(store):
    index = open_index(str(store))
    assert open_index(str(store)) is index
    assert pickle.loads(pickle.dumps(index)) is index  # not its arrays
    assert isinstance(index.frames.base, np.memmap)
    assert index.frames.base.mode == 'r'  # of a store that others own


def test_a_frame_that_is_wanted_twice_is_two_arrays(store, tmp_path):
    decode = TRANSFORMS.build(dict(type='GridStoreDecode', original=dict(type='DecordDecode')))
    init = TRANSFORMS.build(GridStoreInit.insert(
        dict(pipeline=PIPELINE, data_prefix=dict(video=str(tmp_path / 'videos'))), str(store))[0])
    with open_grid(Grid(8, 28, 8, 56)):
        results = init(dict(filename=str(tmp_path / 'videos' / NAME), start_index=0))
    imgs = decode(dict(results, frame_inds=np.array([3, 5, 3])))['imgs']
    cv2.flip(imgs[0], 1, imgs[0])
    assert (imgs[0] != imgs[2]).any()
    assert (imgs[0][:, ::-1] == imgs[2]).all()


def test_one_line_of_a_config_switches_it_on(tmp_path):
    cfg = base_config(tmp_path, grid_store='some/store')
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=dict(
        type='VideoDataset', ann_file='list.txt', data_root='data/k400', data_prefix=dict(video='videos'),
        pipeline=PIPELINE))
    resolved = apply_multigrid(cfg)
    pipeline = resolved.train_dataloader.dataset.dataset.dataset.pipeline
    assert pipeline[0] == dict(type='GridStoreInit', store='some/store', root='data/k400/videos', short_side=64,
                               full_grid='originals', original=dict(type='DecordInit'))
    assert pipeline[2] == dict(type='GridStoreDecode', original=dict(type='DecordDecode'))
    assert [step.type for step in pipeline[3:6]] == ['MultigridTransform', 'MultigridTransform', 'FuseOnGrid']
    assert apply_multigrid(resolved).pretty_text == resolved.pretty_text
    assert 'GridStore' not in str(resolved.val_dataloader)
    cfg.multigrid.grid_store_full = True
    assert "full_grid='store'" in apply_multigrid(cfg).pretty_text
    cfg.multigrid.grid_store = None
    with pytest.raises(ValueError, match='grid_store_full = True: has no meaning without multigrid.grid_store'):
        apply_multigrid(cfg)
    cfg.multigrid.pop('grid_store_full')
    assert 'GridStore' not in str(apply_multigrid(cfg))
    for value, error in ((5, TypeError), ('', ValueError)):
        cfg.multigrid.grid_store = value
        with pytest.raises(error, match=f'multigrid.grid_store = {value!r}: must be the path of a folder'):
            apply_multigrid(cfg)
