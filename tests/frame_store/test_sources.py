"""Stores of all kinds of datasets: each frame is its original's."""

import cv2
import mmaction.datasets  # noqa: F401
import numpy as np
import pytest
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.config import Config

from mmaction_multigrid.datasets import (
    Grid,
    MultigridDataset,
    MultigridTransform,
    leaves,
    open_grid,
)
from mmaction_multigrid.frame_store import GridStoreDecode, GridStoreInit
from mmaction_multigrid.frame_store.avi import copy_size
from mmaction_multigrid.frame_store.build import build
from mmaction_multigrid.frame_store.index import Index
from mmaction_multigrid.frame_store.sizes import sides_of
from mmaction_multigrid.frame_store.sources import (
    Source,
    open_frames,
    sources_of,
)
from mmaction_multigrid.frame_store.state import store_settings
from mmaction_multigrid.schedule import Shape

from ..videos import encode, odd_videos

STEPS = [dict(type='SampleFrames', clip_len=8),
         dict(type='Resize', scale=(-1, 48)),
         dict(type='RandomCrop', size=40),
         dict(type='FormatShape', input_format='NCTHW'),
         dict(type='PackActionInputs')]
READERS = dict(decord=('DecordInit', 'DecordDecode'),
               pyav=('PyAVInit', 'PyAVDecode'),
               opencv=('OpenCVInit', 'OpenCVDecode'),
               frames=('RawFrameDecode', ))
COARSE = Shape(8, 4, 20)


def pipeline(reader):
    *opener, decoder = ({'type': name} for name in READERS[reader])
    return [*opener, STEPS[0], decoder, *STEPS[1:]]


def sources_from(dataset, *args):
    return sources_of(Config(dict(train_dataloader=dict(dataset=dataset))),
                      *args)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Two folders of two videos of 96 x 64, also as pictures from 3 on."""
    folder = tmp_path_factory.mktemp('sources')
    for part in ('one', 'two'):
        (folder / part).mkdir()
        for i in range(2):
            path = encode(folder / part / f'{part}{i}.mp4', 10 + i, grain=8)
            pictures = folder / 'pictures' / part / str(i)
            pictures.mkdir(parents=True)
            for number, frame in enumerate(
                    open_frames(Source('', str(path)))[2], 3):
                cv2.imwrite(str(pictures / f'{number}.png'), frame)
        (folder / f'{part}.txt').write_text(f'{part}0.mp4 0\n{part}1.mp4 1\n')
    (folder / 'pictures.txt').write_text('one/0 10 0\none/1 11 1\n')
    (folder / 'offsets.txt').write_text('one/0 2 8 0\none/1 0 11 1\n')
    return folder


def video(videos, part='one', reader='decord', **settings):
    return dict(dict(
        type='VideoDataset', ann_file=str(videos / f'{part}.txt'),
        data_prefix=dict(video=str(videos / part)),
        pipeline=pipeline(reader)), **settings)


def frames(videos, name='pictures.txt', **settings):
    return dict(
        type='RawframeDataset', ann_file=str(videos / name),
        data_prefix=dict(img=str(videos / 'pictures')), start_index=3,
        filename_tmpl='{}.png', pipeline=pipeline('frames'), **settings)


def repeat(dataset):
    return dict(type='RepeatDataset', times=2, dataset=dataset)


def concat(*datasets):
    return dict(type='ConcatDataset', datasets=list(datasets))


DATASETS_OF = dict(
    decord=video, frames=frames,
    pyav=lambda videos: video(videos, reader='pyav'),
    opencv=lambda videos: video(videos, reader='opencv'),
    offsets=lambda videos: frames(videos, 'offsets.txt', with_offset=True),
    concat=lambda videos: concat(
        video(videos), video(videos, 'two', 'pyav'), frames(videos)),
    nested=lambda videos: repeat(concat(
        repeat(video(videos)), video(videos, 'two'))),
    data_root=lambda videos: video(
        videos, data_root=str(videos), ann_file='one.txt',
        data_prefix=dict(video='one')),
    slashes=lambda videos: video(
        videos, data_prefix=dict(video=f'{videos}/two/../one//')))


def with_store(dataset, store):
    """Change the pipelines of a config as ``apply_multigrid`` does."""
    if 'pipeline' in dataset:
        steps = GridStoreInit.insert(dataset, str(store))
        return dict(dataset,
                    pipeline=MultigridTransform.wrap_pipeline(steps))
    if 'dataset' in dataset:
        return dict(dataset, dataset=with_store(dataset['dataset'], store))
    return dict(dataset, datasets=[with_store(one, store)
                                   for one in dataset['datasets']])


@pytest.mark.filterwarnings('ignore')  # the decoders' own
@pytest.mark.parametrize('kind', DATASETS_OF)
def test_there_and_back(videos, tmp_path, kind):
    dataset = DATASETS_OF[kind](videos)
    sources = sources_from(dataset)
    assert len(sources) == dict(concat=6, nested=4).get(kind, 2)
    result = build(sources, tmp_path / 'store', store_settings([24]))
    assert result['videos'] == len(sources)
    built = MultigridDataset(
        DATASETS.build(with_store(dataset, tmp_path / 'store')), (8, 40))
    built.report_to(str(tmp_path / 'report'))
    assert built[0, COARSE]['inputs'].shape == (1, 3, 4, 20, 20)
    for leaf in leaves(built.dataset):
        steps = [step for step in leaf.pipeline.transforms
                 if isinstance(step, (GridStoreInit, GridStoreDecode))]
        for index in range(len(leaf)):
            check_frames(leaf.get_data_info(index), *steps)
    assert not (tmp_path / 'report').exists()


def check_frames(info, opener, decoder):
    """Each frame of the store is nearest to the same of the original."""
    stock = opener.original(dict(info))
    total = stock['total_frames']
    wanted = np.arange(total) + info['start_index']
    with open_grid(Grid(4, 20, 8, 40)):
        ours = opener(dict(info))
        assert ours['total_frames'] == total
        assert ours.get('avg_fps') == stock.get('avg_fps')
        ours = decoder(dict(ours, frame_inds=wanted))
    stock = decoder.original(dict(stock, frame_inds=wanted))
    assert ours['img_shape'] == ours['original_shape'] == (24, 36)
    assert set(ours) == set(stock) - {'video_reader', 'new_path'}
    small = np.stack([cv2.resize(frame, (36, 24), interpolation=cv2.INTER_AREA)
                      for frame in stock['imgs']]).astype(int)
    found = np.stack(ours['imgs']).astype(int)
    distance = np.abs(found[:, None] - small[None]).mean((2, 3, 4))
    assert (distance.argmin(1) == np.arange(total)).all()
    # Of these colours JPEG keeps a quarter.
    assert np.abs(found.mean(-1) - small.mean(-1)).mean() < 5


def test_another_list_and_folder_than_the_configs(videos):
    dataset = repeat(video(videos, data_root='nowhere'))
    assert [source.name for source in sources_from(
        dataset, videos / 'two.txt', videos / 'two')
    ] == ['two0.mp4', 'two1.mp4']
    source, _ = sources_from(frames(videos, 'none.txt'),
                             videos / 'pictures.txt', videos / 'pictures')
    assert source.path == str(videos / 'pictures' / 'one' / '0')


def test_what_cannot_be_stored(videos, tmp_path):
    with pytest.raises(ValueError, match="modality = 'Flow': .* holds RGB"):
        sources_from(frames(videos, modality='Flow'))
    for dataset, message in (
        (video(videos, pipeline=STEPS), 'opens no videos'),
        (video(videos, pipeline=pipeline('decord')[1:]), 'nothing before'),
        (video(videos, type='RepeatAugDataset'), 'RepeatAugDataset opens')):
        with pytest.raises(ValueError, match=f'grid_store: .*{message}'):
            GridStoreInit.insert(dataset, 'store')
    (tmp_path / '3.png').write_bytes(b'no picture')
    with pytest.raises(ValueError, match='3.png: is no picture'):
        next(open_frames(Source('x', str(tmp_path), 'frames', '{}.png', 3,
                                2))[2])


def test_sides_from_the_videos(videos, small_config):
    """A share of 64 pixels is cropped, for crops of 24, 34 and 48."""
    cfg = Config.fromfile(small_config)
    cfg.train_dataloader.dataset = video(videos, pipeline=[
        *pipeline('decord')[:3], dict(type='RandomResizedCrop'),
        dict(type='Resize', scale=(48, 48), keep_ratio=False)])
    assert sides_of(cfg, sources_of(cfg)) == (32, 45)
    assert sides_of(cfg, sources_of(cfg), full=True) == (32, 45, 64)
    with pytest.raises(ValueError, match='none of the videos can be opened'):
        sides_of(cfg, [Source('none.mp4', 'none.mp4')])


@pytest.mark.parametrize(('size', 'side', 'expected'), [
    ((454, 256), 128, (227, 128)), ((454, 256), 181, (321, 181)),
    ((128, 97), 64, (84, 64)), ((96, 54), 64, (96, 54))])
def test_copies_are_as_large_as_resized_frames(size, side, expected):
    assert copy_size(*size, side) == expected
    picture = dict(imgs=[np.zeros((*size[::-1], 3), np.uint8)],
                   img_shape=size[::-1])
    resize = TRANSFORMS.build(dict(type='Resize', scale=(-1, side)))
    assert side > min(size) or resize(picture)['img_shape'][::-1] == expected


def test_odd_videos(tmp_path):
    names = odd_videos(tmp_path)
    (tmp_path / 'list.txt').write_text(
        ''.join(f'{name}|0\n' for name in names), encoding='utf-8')
    sources = sources_from(video(
        tmp_path, ann_file=str(tmp_path / 'list.txt'), delimiter='|',
        data_prefix=dict(video=str(tmp_path))))
    result = build(sources, tmp_path / 'store', store_settings([24]))
    assert (result['videos'], result['failed']) == (len(names), {})
    index = Index(tmp_path / 'store')
    for row, info in enumerate(index.all_videos()):
        pictures = index.read(row, 0, np.arange(info.frames))
        assert pictures[0].shape[1::-1] == copy_size(info.width, info.height,
                                                     24)
        # Any player opens it, and shows the same.
        player = cv2.VideoCapture(index.path(row, 0))
        assert int(player.get(cv2.CAP_PROP_FRAME_COUNT)) == info.frames
        shown = player.read()[1][..., ::-1].astype(int)
        assert np.abs(shown - pictures[0]).mean() < 16  # smoother colours
