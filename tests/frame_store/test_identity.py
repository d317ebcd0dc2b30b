"""Every clip is read from copies of its own file, however it is listed."""

import cv2
import mmaction.datasets  # noqa: F401
import numpy as np
import pytest
from mmaction.datasets.transforms import DecordDecode, DecordInit
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.config import Config

from mmaction_multigrid import apply_multigrid, register_transform_rule
from mmaction_multigrid.__main__ import main
from mmaction_multigrid.schedule import Shape
from mmaction_multigrid.frame_store.names import clip_name

from ..videos import encode_colours

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)]
COARSE = Shape(8, 4, 16)
CONFIG = """
_base_ = ['mmaction::recognition/slowonly/{stock}']
custom_imports = dict(
    imports=['mmaction_multigrid', 'tests.frame_store.test_identity'])
multigrid = dict(max_batch_factor=8)
opener = {opener}
pipe = [*opener[:-1],
        dict(type='SampleFrames', clip_len=8, frame_interval=1),
        opener[-1], dict(type='Resize', scale=(-1, 36)),
        dict(type='RandomCrop', size=32),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs')]
sets = [dict(data, pipeline=pipe) for data in {data}]
train_dataloader = dict(
    _delete_=True, batch_size=4, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ConcatDataset', datasets=sets))
"""
BASE = 'slowonly_r50_8xb16-4x16x1-256e_kinetics400-rgb.py'
STOCK = [dict(type='DecordInit'), dict(type='DecordDecode')]


@TRANSFORMS.register_module()
class MyInit(DecordInit):
    """A decoder of one's own."""


@TRANSFORMS.register_module()
class MyDecode(DecordDecode):
    """A decoder of one's own."""


register_transform_rule('MyInit', opens='decord')
register_transform_rule('MyDecode', decodes='decord')


def write_pictures(folder, colour):
    """Ten pictures, the first of them black."""
    folder.mkdir(parents=True)
    for number in range(10):
        picture = np.full((48, 64, 3), colour[::-1] if number else 0, np.uint8)
        cv2.imwrite(str(folder / f'img_{number + 1:05}.jpg'), picture)


@pytest.fixture
def data(tmp_path):
    """Two cameras of the same clip names; each clip has its own colour."""
    folder = tmp_path / 'data'
    for number, colour in enumerate(COLOURS):
        camera, name = ('left', 'right')[number // 2], f'{number % 2}'
        (folder / camera).mkdir(parents=True, exist_ok=True)
        encode_colours(folder / camera / f'{name}.mp4', [colour] * 10)
        write_pictures(folder / 'frames' / camera / name, colour)
    return folder


def write_list(data, name, lines):
    (data / f'{name}.txt').write_text(''.join(f'{line}\n' for line in lines))
    return str(data / f'{name}.txt')


def video_sets(data, ending='.mp4'):
    ann_file = write_list(data, 'both', [f'{i}{ending} {i}' for i in range(2)])
    return [
        dict(
            type='VideoDataset',
            ann_file=ann_file,
            data_prefix=dict(video=str(data / camera)))
        for camera in ('left', 'right')
    ]


def frame_sets(data):
    ann_file = write_list(data, 'frames', [f'{i} 10 {i}' for i in range(2)])
    return [
        dict(
            type='RawframeDataset',
            ann_file=ann_file,
            data_prefix=dict(img=str(data / 'frames' / camera)))
        for camera in ('left', 'right')
    ]


def offset_sets(data):
    ann_file = write_list(data, 'offsets', ['0 1 9 0', '1 1 9 1', '0 1 8 0'])
    return [
        dict(one, ann_file=ann_file, with_offset=True)
        for one in frame_sets(data)
    ]


def absolute_set(data):
    lines = [
        f'{data}/{camera}/{i}.mp4 {i}' for camera in ('left', 'right')
        for i in range(2)
    ]
    return [
        dict(
            type='VideoDataset',
            ann_file=write_list(data, 'absolute', lines),
            data_prefix=dict(video=''))
    ]


SETS = dict(
    videos=video_sets,
    frames=frame_sets,
    offsets=offset_sets,
    absolute=absolute_set,
    own=video_sets,
    no_extension=lambda data: video_sets(data, ending=''),
    parts=video_sets,
    lists=video_sets)


def load_config(data, kind):
    opener = STOCK
    if kind in ('frames', 'offsets'):
        opener = [dict(type='RawFrameDecode')]
    elif kind == 'own':
        opener = [dict(type='MyInit'), dict(type='MyDecode')]
    path = data.parent / 'config.py'
    text = CONFIG.format(stock=BASE, opener=opener, data=SETS[kind](data))
    path.write_text(text)
    return path


def build(data, kind):
    config, store = load_config(data, kind), data.parent / 'store'
    command = [
        'store', 'build',
        str(store), '--config',
        str(config), '--processes', '1'
    ]
    if kind == 'parts':
        commands = [[*command, '--part', f'{part}/2'] for part in (2, 1)]
    elif kind == 'lists':
        commands = [[
            *command[:2],
            str(data / 'both.txt'), *command[2:], '--root',
            str(data / camera)
        ] for camera in ('left', 'right')]
        for one in commands:  # a list is for the first data set of a config
            one[one.index('--config') + 1] = str(only_first(config))
    else:
        commands = [command]
    assert [main(one) for one in commands] == [0] * len(commands)
    return store


def only_first(config):
    path = config.with_name('first.py')
    path.write_text(config.read_text() +
                    "train_dataloader['dataset']['datasets'][1:] = []\n")
    return path


def colours(data, kind, store=None):
    """Mean colour of each clip on a coarse grid."""
    cfg = Config.fromfile(load_config(data, kind))
    if store:
        cfg.multigrid.grid_store = str(store)
    dataset = DATASETS.build(apply_multigrid(cfg).train_dataloader.dataset)
    dataset.report_to(str(data.parent / 'report'))
    dataset.set_epoch(0, 0)
    return [
        dataset[index, COARSE]['inputs'].float().mean((0, 2, 3, 4))
        for index in range(len(dataset))
    ]


@pytest.fixture
def opened(monkeypatch):
    """Copies, as they are opened."""
    from mmaction_multigrid.frame_store import avi
    paths, real = [], avi.os.open
    monkeypatch.setattr(
        avi.os, 'open',
        lambda path, *args, **kwargs: paths.append(path) or real(
            path, *args, **kwargs))
    return paths


@pytest.mark.parametrize('kind', SETS)
def test_each_clip_has_its_own_copy(data, tmp_path, monkeypatch, opened, kind):
    store = build(data, kind)
    plain = colours(data, kind)
    (tmp_path / 'elsewhere').mkdir()
    monkeypatch.chdir(tmp_path / 'elsewhere')
    opened.clear()
    ours = colours(data, kind, store)
    assert len({path
                for path in opened if str(path).endswith('.avi')}) == len(ours)
    assert not (tmp_path / 'report').exists()
    assert len({tuple(colour.round().tolist()) for colour in ours}) == 4
    for one, other in zip(ours, plain):
        assert (one - other).abs().max() < 8


@pytest.mark.parametrize('kind', ['videos', 'frames', 'absolute'])
def test_data_and_store_can_be_moved(data, tmp_path, kind):
    before = colours(data, kind, build(data, kind))
    (tmp_path / 'new').mkdir()
    for name in ('data', 'store'):
        (tmp_path / name).rename(tmp_path / 'new' / name)
    after = colours(tmp_path / 'new' / 'data', kind,
                    tmp_path / 'new' / 'store')
    assert not (tmp_path / 'new' / 'report').exists()
    assert all((one == other).all() for one, other in zip(before, after))


@pytest.mark.parametrize(
    ('path', 'root', 'name'), [('data/a/b.mp4', 'data', 'a/b.mp4'),
                               ('data//a/b.mp4', 'data/', 'a/b.mp4'),
                               ('./b.mp4', '.', 'b.mp4'),
                               ('/x/b.mp4', '', 'x/b.mp4'),
                               ('/x/b.mp4', '/x', 'b.mp4'),
                               ('/x/b.mp4', '/', 'x/b.mp4'),
                               ('/x/../y/b.mp4', '/x', 'y/b.mp4'),
                               ('/xy/b.mp4', '/x', 'xy/b.mp4'),
                               ('../b.mp4', '', 'tmp/b.mp4')])
def test_a_name_stays_inside_and_needs_no_working_directory(
        monkeypatch, tmp_path, path, root, name):
    monkeypatch.setattr('os.getcwd', lambda: '/tmp/here')
    assert clip_name(path, root) == name


def test_originals_that_are_gone(data, tmp_path):
    """Names have to do then, where they are names of one file."""
    store = build(data, 'videos')
    (data / 'left' / '0.mp4').unlink()
    colours(data, 'videos', store)  # another clip takes its place
    line, *_ = (tmp_path / 'report').read_text().splitlines()
    assert 'left/0.mp4: is not in the grid store, which has 2' in line
