"""Every clip is read from the copy of its own file."""

import cv2
import mmaction.datasets  # noqa: F401
import numpy as np
import pytest
from mmaction.datasets.transforms import DecordDecode, DecordInit
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.config import Config

from mmaction_multigrid import apply_multigrid, register_transform_rule
from mmaction_multigrid.__main__ import main
from mmaction_multigrid.datasets import Grid, open_grid
from mmaction_multigrid.frame_store import avi
from mmaction_multigrid.frame_store.sources import clip_name
from mmaction_multigrid.schedule import Shape

from ..videos import encode, encode_colours
from .making import make_store

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)]
COARSE, FULL = Shape(8, 4, 16), Shape(1, 8, 32)
STOCK = 'slowonly/slowonly_r50_8xb16-4x16x1-256e_kinetics400-rgb.py'
CONFIG = f"""
_base_ = ['mmaction::recognition/{STOCK}']
custom_imports = dict(
    imports=['mmaction_multigrid', 'tests.frame_store.test_identity'])
multigrid = dict(max_batch_factor=8)
pipe = [*OPENER[:-1],
        dict(type='SampleFrames', clip_len=8, frame_interval=1),
        OPENER[-1], dict(type='Resize', scale=(-1, 36)),
        dict(type='RandomCrop', size=32),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs')]
train_dataloader = dict(
    _delete_=True, batch_size=4, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ConcatDataset', datasets=[
        dict(data, pipeline=pipe) for data in DATA]))
"""
OPENERS = dict(frames=['RawFrameDecode'], offsets=['RawFrameDecode'],
               own=['MyInit', 'MyDecode'], pyav=['PyAVInit', 'PyAVDecode'])


@TRANSFORMS.register_module()
class MyInit(DecordInit):
    """A user's opener."""


@TRANSFORMS.register_module()
class MyDecode(DecordDecode):
    """A user's decoder."""


register_transform_rule('MyInit', opens='decord')
register_transform_rule('MyDecode', decodes='decord')


@pytest.fixture
def data(tmp_path):
    """Clips of the same names in two folders, each of its own colour.

    They are there as videos and as pictures, the first of which is black.
    """
    for number, colour in enumerate(COLOURS):
        name = f'{("left", "right")[number // 2]}/{number % 2}'
        folder = tmp_path / 'data' / 'frames' / name
        folder.mkdir(parents=True)
        for i in range(10):
            cv2.imwrite(str(folder / f'img_{i + 1:05}.jpg'), np.full(
                (48, 64, 3), colour[::-1] if i else 0, np.uint8))
        video = tmp_path / 'data' / f'{name}.mp4'
        video.parent.mkdir(exist_ok=True)
        encode_colours(video, [colour] * 10)
    return tmp_path / 'data'


LINES = dict(frames='0 10 0\n1 10 1\n', offsets='0 1 9 0\n1 1 9 1\n0 1 8 0\n',
             no_extension='0 0\n1 1\n')


def load_config(data, kind):
    """The config of two datasets; of one with absolute paths."""
    listed, config = data / 'list.txt', data.parent / 'config.py'
    listed.write_text(LINES.get(kind, '0.mp4 0\n1.mp4 1\n'))
    folders = [data / 'left', data / 'right']
    sets = [dict(type='VideoDataset', data_prefix=dict(video=str(folder)))
            for folder in folders]
    if kind in ('frames', 'offsets'):
        sets = [dict(type='RawframeDataset', with_offset=kind == 'offsets',
                     data_prefix=dict(img=str(data / 'frames' / folder.name)))
                for folder in folders]
    if kind == 'absolute':
        listed.write_text(''.join(f'{folder}/{i}.mp4 {i}\n'
                                  for folder in folders for i in range(2)))
        sets = [dict(type='VideoDataset', data_prefix=dict(video=''))]
    opener = [dict(type=name) for name in OPENERS.get(
        kind, ['DecordInit', 'DecordDecode'])]
    sets = [dict(one, ann_file=str(listed)) for one in sets]
    config.write_text(CONFIG.replace('OPENER', str(opener)).replace(
        'DATA', str(sets)))
    return config


def build(data, kind):
    config, store = load_config(data, kind), data.parent / 'store'
    commands = [[]]
    if kind == 'parts':
        commands = [['--part', '2/2'], ['--part', '1/2']]
    for options in commands:
        assert main(['store', 'build', str(store), '--config', str(config),
                     '--processes', '1', *options]) == 0
    return store


def build_lists(data):
    """List by list, each for the only dataset of the config."""
    config, store = load_config(data, 'lists'), data.parent / 'store'
    config.write_text(config.read_text() + "train_dataloader['dataset']"
                      "['datasets'][1:] = []\n")
    for folder in ('left', 'right'):
        assert main(['store', 'build', str(data / 'list.txt'), str(store),
                     '--config', str(config), '--root', str(data / folder),
                     '--processes', '1']) == 0
    return store


def colours(data, kind, store=None):
    """Mean colour of each clip on a coarse grid."""
    cfg = Config.fromfile(load_config(data, kind))
    if store:
        cfg.multigrid.grid_store = str(store)
    dataset = DATASETS.build(apply_multigrid(cfg).train_dataloader.dataset)
    dataset.report_to(str(data.parent / 'report'))
    dataset.set_epoch(0, 0)
    return [dataset[index, COARSE]['inputs'].float().mean((0, 2, 3, 4))
            for index in range(len(dataset))]


@pytest.mark.parametrize('kind', [
    'videos', 'frames', 'offsets', 'absolute', 'own', 'no_extension',
    'parts', 'lists'])
def test_each_clip_has_its_own_copy(data, tmp_path, monkeypatch, kind):
    store = build_lists(data) if kind == 'lists' else build(data, kind)
    plain, opened = colours(data, kind), set()
    (tmp_path / 'elsewhere').mkdir()
    monkeypatch.chdir(tmp_path / 'elsewhere')
    monkeypatch.setattr(avi, 'open', lambda path, *args, **how:
                        opened.add(path) or open(path, *args, **how),
                        raising=False)
    ours = colours(data, kind, store)
    assert len(opened) == len(ours)
    assert not (tmp_path / 'report').exists()
    assert len({tuple(colour.round().tolist()) for colour in ours}) == 4
    assert all((one - other).abs().max() < 8
               for one, other in zip(ours, plain))


@pytest.mark.parametrize('kind', ['videos', 'frames', 'absolute'])
def test_data_and_store_can_be_moved(data, tmp_path, kind):
    before, new = colours(data, kind, build(data, kind)), tmp_path / 'new'
    new.mkdir()
    for name in ('data', 'store'):
        (tmp_path / name).rename(new / name)
    after = colours(new / 'data', kind, new / 'store')
    assert not (new / 'report').exists()
    assert all((one == other).all() for one, other in zip(before, after))


def test_originals_that_are_gone(data, tmp_path):
    """Their names have to do if they are names of one file."""
    store = build(data, 'videos')
    (data / 'left' / '0.mp4').unlink()
    colours(data, 'videos', store)  # another clip takes its place
    line, *_ = (tmp_path / 'report').read_text().splitlines()
    assert 'left/0.mp4: is not in the grid store' in line


@pytest.mark.parametrize(('path', 'root', 'name'), [
    ('data/a/b.mp4', 'data', 'a/b.mp4'), ('data//b.mp4', 'data/', 'b.mp4'),
    ('./b.mp4', '.', 'b.mp4'), ('/x/b.mp4', '', 'x/b.mp4'),
    ('/x/b.mp4', '/x', 'b.mp4'), ('/x/b.mp4', '/', 'x/b.mp4'),
    ('/x/../y/b.mp4', '/x', 'y/b.mp4'), ('/xy/b.mp4', '/x', 'xy/b.mp4'),
    ('../b.mp4', '', 'tmp/b.mp4')])
def test_a_name_stays_inside(monkeypatch, path, root, name):
    monkeypatch.setattr('os.getcwd', lambda: '/tmp/here')
    assert clip_name(path, root) == name


@pytest.mark.parametrize('name', ['a.mkv', 'a.ts', 'a.h264', 'a.mp4'])
def test_pyav_clips_without_a_number_of_frames(data, monkeypatch, name):
    """They are the same with and without a store, coarse and full."""
    encode_colours(data / name, [(10 * i, ) * 3 for i in range(20)])
    make_store(data, data.parent / 'store', [name], 'pyav', sides=(18, ))
    cfg = Config.fromfile(load_config(data, 'pyav'))
    (data / 'list.txt').write_text(f'{name} 0\n')
    dataset = cfg.train_dataloader.dataset
    dataset.datasets = dataset.datasets[:1]
    dataset.datasets[0].data_prefix.video = str(data)
    greys, warnings = [], []
    monkeypatch.setattr('mmaction_multigrid.datasets.missing.print_log',
                        lambda text, **_: warnings.append(text))
    for store in (None, str(data.parent / 'store')):
        cfg.multigrid.grid_store = store
        clips = DATASETS.build(apply_multigrid(cfg).train_dataloader.dataset)
        clips.set_epoch(0, 0)
        greys += [clips[0, shape]['inputs'].float().mean((0, 1, 3, 4))
                  for shape in (COARSE, FULL)]
    assert ['holds no number of frames' in text for text in warnings] == (
        [] if name == 'a.mp4' else [True, True])
    assert all((grey.diff() > 5).all() for grey in greys)
    assert (greys[0] - greys[2]).abs().max() < 3
    assert (greys[1] == greys[3]).all()


def test_opencv_samples_from_its_estimate(tmp_path):
    """Of a video of variable rate: it takes 24 frames for more."""
    encode(tmp_path / 'a.mkv', 24, step=lambda i: 1 + i % 5, grain=16)
    make_store(tmp_path, tmp_path / 'store', ['a.mkv'], 'opencv')
    info = dict(filename=str(tmp_path / 'a.mkv'), start_index=0)
    init = TRANSFORMS.build(dict(
        type='GridStoreInit', store=str(tmp_path / 'store'),
        root=str(tmp_path), short_side=64, original=dict(type='OpenCVInit')))
    decode = TRANSFORMS.build(dict(type='GridStoreDecode',
                                   original=dict(type='OpenCVDecode')))
    with open_grid(Grid(4, 16, 8, 32)):
        ours, stock = init(dict(info)), init.original(dict(info))
    assert ours['total_frames'] == stock['total_frames'] > 60
    wanted = np.array([0, 12, 23, 24, 60])
    for one, other in zip(*(decode(dict(results, frame_inds=wanted))['imgs']
                            for results in (ours, stock))):
        small = cv2.resize(other, one.shape[1::-1],
                           interpolation=cv2.INTER_AREA)
        assert np.abs(one.mean(-1) - small.mean(-1)).mean() < 5
