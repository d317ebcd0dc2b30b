"""Build stores of all kinds of datasets, and compare each frame."""

import shutil

import cv2
import mmaction_multigrid as mm
import numpy as np
import pytest
from mmaction_multigrid.core.dataset import ClipShape, clip_shape
from mmaction_multigrid.frame_store import GridStoreInit, build, sources
from mmaction_multigrid.frame_store.index import Index
from mmaction_multigrid.frame_store.mjpeg import copy_size
from mmaction_multigrid.frame_store.sizes import short_edges_of
from mmaction_multigrid.frame_store.sources import Source, sources_of
from mmaction_multigrid.loading.train_data import unwrap_datasets
from mmengine.config import Config

import mmaction.datasets  # noqa: F401
from mmaction.datasets.transforms import DecordDecode, DecordInit
from mmaction.registry import DATASETS, TRANSFORMS
from ..videos import encode, odd_videos
from .making import make_store

# A user's own transforms.
TRANSFORMS.register_module('MyInit', module=DecordInit)
TRANSFORMS.register_module('MyDecode', module=DecordDecode)
mm.register_transform_rule('MyInit', opens='decord')
mm.register_transform_rule('MyDecode', decodes='decord')
STEPS = [
    dict(type='SampleFrames', clip_len=8),
    dict(type='Resize', scale=(-1, 48)),
    dict(type='RandomCrop', size=40),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
READERS = dict(
    decord=('DecordInit', 'DecordDecode'),
    pyav=('PyAVInit', 'PyAVDecode'),
    own=('MyInit', 'MyDecode'),
    opencv=('OpenCVInit', 'OpenCVDecode'),
    frames=('RawFrameDecode', ))


def pipeline(reader):
    *opener, decoder = ({'type': name} for name in READERS[reader])
    return [*opener, STEPS[0], decoder, *STEPS[1:]]


def sources_from(dataset, *args):
    return sources_of(
        Config(dict(train_dataloader=dict(dataset=dataset))), *args)


def video(videos,
          part='one',
          reader='decord',
          lines='0.mp4 0\n1.mp4 1\n',
          **settings):
    listed = videos / f'{hash(lines)}.txt'
    listed.write_text(lines)
    return dict(
        dict(
            type='VideoDataset',
            ann_file=str(listed),
            pipeline=pipeline(reader),
            data_prefix=dict(video=str(videos / part))), **settings)


def frames(videos, part='one', lines='0 10 0\n1 11 1\n', **settings):
    return dict(
        video(videos, reader='frames', lines=lines),
        start_index=3,
        type='RawframeDataset',
        filename_tmpl='{}.png',
        data_prefix=dict(img=str(videos / 'pictures' / part)),
        **settings)


def repeat(dataset):
    return dict(type='RepeatDataset', times=2, dataset=dataset)


def concat(*datasets):
    return dict(type='ConcatDataset', datasets=list(datasets))


def same_names(videos):
    return concat(
        video(videos), video(videos, 'two', 'pyav'), frames(videos),
        frames(videos, 'two', '0 12 0\n1 13 1\n'),
        frames(videos, lines='0 2 8 0\n1 2 9 1\n', with_offset=True))


def no_count(videos):
    return video(
        videos, reader='pyav', lines='clip.mkv 0\nclip.ts 0\nclip.h264 0\n')


DATASETS_OF = dict(
    same_names=same_names,
    no_count=no_count,
    opencv=lambda videos: video(videos, reader='opencv'),
    own=lambda videos: video(videos, reader='own'),
    no_extension=lambda videos: video(videos, lines='0 0\n1 1\n'),
    nested=lambda videos: repeat(
        concat(repeat(video(videos)), video(videos, 'two'))),
    data_root=lambda videos: video(
        videos, data_root=str(videos), data_prefix=dict(video='one')))


def with_store(dataset, store):
    """Change the pipelines of a config as ``apply_multigrid`` does."""
    if 'pipeline' in dataset:
        return dict(
            dataset, pipeline=GridStoreInit.insert(dataset, str(store)))
    return {
        key: with_store(value, store) if key == 'dataset' else
        [with_store(one, store)
         for one in value] if key == 'datasets' else value
        for key, value in dataset.items()
    }


def check(dataset, store):
    """Compare each frame of each clip; return the copies that were read."""
    copies = set()
    for leaf in unwrap_datasets(DATASETS.build(with_store(dataset, store))):
        opener, decoder = (
            step for step in leaf.pipeline.transforms
            if type(step).__name__.startswith('GridStore'))
        for index in range(len(leaf)):
            copies |= check_clip(leaf.get_data_info(index), opener, decoder)
    return copies


def check_clip(info, opener, decoder):
    """Check that each frame is nearest to the same frame of the original."""
    stock = opener.original(dict(info))
    total = stock['total_frames']
    wanted = np.arange(total) + info['start_index']
    with clip_shape(ClipShape(4, 20, 8, 40)):
        ours = opener(dict(info))
    assert ours['total_frames'] == total
    assert ours.get('avg_fps') == stock.get('avg_fps')
    copy = opener.index.path(*ours['grid_copy'][1:])
    ours = decoder(dict(ours, frame_inds=wanted))
    stock = decoder.original(dict(stock, frame_inds=wanted))
    assert ours['img_shape'] == ours['original_shape'] == (24, 36)
    assert set(ours) == set(stock) - {'video_reader', 'new_path'}
    small = np.stack([
        cv2.resize(frame, (36, 24), interpolation=cv2.INTER_AREA)
        for frame in stock['imgs']
    ]).astype(int)
    found = np.stack(ours['imgs']).astype(int)
    distance = np.abs(found[:, None] - small[None]).mean((2, 3, 4))
    assert (distance.argmin(1) == np.arange(total)).all()
    # Of these colours JPEG keeps a quarter.
    assert np.abs(found.mean(-1) - small.mean(-1)).mean() < 5
    return {copy}


@pytest.mark.filterwarnings('ignore')  # the decoders' own
@pytest.mark.parametrize('kind', DATASETS_OF)
def test_frames_equal_the_original(videos, tmp_path, kind):
    """Read them at their places, and after a move of data and store."""
    store, originals = tmp_path / 'store', sources_from(
        DATASETS_OF[kind](videos))
    number = dict(same_names=10, nested=4, no_count=3).get(kind, 2)
    assert len(originals) == number
    result = build.build(originals, store, [24])
    assert result['videos'] == number
    assert len(check(DATASETS_OF[kind](videos), store)) == number
    moved = store.rename(videos.rename(tmp_path / 'new') / 'store')
    assert len(check(DATASETS_OF[kind](moved.parent), moved)) == number


def test_two_lists_in_one_store(videos, tmp_path):
    for part in ('one', 'two'):
        dataset = repeat(video(videos, data_root='nowhere', lines='none 0\n'))
        (tmp_path / 'list.txt').write_text('0.mp4 0\n1.mp4 1\n')
        build.build(
            sources_from(dataset, tmp_path / 'list.txt', videos / part),
            tmp_path / 'store', [24])
    dataset = concat(video(videos), video(videos, 'two'))
    assert len(check(dataset, tmp_path / 'store')) == 4
    source, _ = sources_from(frames(videos), None, videos / 'pictures/two')
    assert source.path == str(videos / 'pictures' / 'two' / '0')


def test_opencv_samples_from_its_estimate(tmp_path):
    """It counts too many frames where the rate is variable."""
    path = encode(tmp_path / 'a.mkv', 24, step=lambda i: 1 + i % 5, grain=16)
    make_store(tmp_path, tmp_path / 'store', ['a.mkv'], 'opencv')
    index, video = Index(tmp_path / 'store'), cv2.VideoCapture(str(path))
    total = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    assert index.videos['frames'].tolist() == [total]
    last, beyond = index.read(0, 0, np.array([23, total - 1]))
    assert total > 60 and (last == beyond).all()


def test_datasets_without_a_store(made, tmp_path):
    with pytest.raises(ValueError, match="modality = 'Flow': .* holds RGB"):
        sources_from(frames(made, modality='Flow'))
    for dataset, message in ((video(made, pipeline=STEPS), 'opens no videos'),
                             (video(made, pipeline=pipeline('decord')[1:]),
                              'nothing before'),
                             (video(made, type='RepeatAugDataset'),
                              'RepeatAugDataset opens')):
        with pytest.raises(ValueError, match=f'frame store: .*{message}'):
            GridStoreInit.insert(dataset, 'store')
    with pytest.raises(ValueError, match='RepeatAugDataset opens'):
        sources_from(video(made, type='RepeatAugDataset'))
    (tmp_path / '3.png').write_bytes(b'no picture')
    with pytest.raises(ValueError, match='3.png: is no picture'):
        next(
            sources.open_frames(
                Source(str(tmp_path), 'frames', '{}.png', 3, 2))[2])


@pytest.mark.parametrize('step', [
    dict(type='Resize', scale=(-1, 56)),
    dict(type='Resize', scale=(70, 56)),
    dict(type='RandomRescale', scale_range=(48, 56)), None
])
def test_short_edges(small_config, step):
    """The crops are 24, 34 and 48 of a short edge of 56."""
    cfg = Config.fromfile(small_config)
    steps = cfg.train_dataloader.dataset.pipeline
    at, = (i for i, old in enumerate(steps) if old.type == 'Resize')
    steps[at:at + 1] = [step] if step else []
    if step is None:
        with pytest.raises(ValueError, match='pixels before it crops; put'):
            short_edges_of(cfg)
    else:
        assert [short_edges_of(cfg, full)
                for full in (False, True)] == [{28, 40}, {28, 40, 56}]


def test_short_edges_of_the_study():
    """The videos of UTD-MHAD have 160 x 160 pixels."""
    assert short_edges_of(
        Config.fromfile(f'{mm.__path__[0]}/../configs/recognition/i3d/i3d-tiny'
                        '-multigrid_1xb4-16x4x1-steplr-105e_utd-mhad-depth-'
                        'rgb.py')) == {80, 114}


@pytest.mark.parametrize(('size', 'short_edge', 'expected'),
                         [((454, 256), 128, (227, 128)),
                          ((454, 256), 181, (321, 181)),
                          ((128, 97), 64, (84, 64)), ((96, 54), 64, (96, 54))])
def test_copies_are_as_large_as_resized_frames(size, short_edge, expected):
    assert copy_size(*size, short_edge) == expected
    resize = TRANSFORMS.build(dict(type='Resize', scale=(-1, short_edge)))
    assert short_edge > min(size) or resize(
        dict(
            imgs=[np.zeros((*size[::-1], 3), np.uint8)],
            img_shape=size[::-1]))['img_shape'][::-1] == expected


def test_odd_videos(tmp_path):
    names = odd_videos(tmp_path)
    assert make_store(
        tmp_path, tmp_path / 'store', names, short_edges=[24])['failed'] == {}
    index = Index(tmp_path / 'store')
    for path in map(str, map(tmp_path.joinpath, names)):
        row = index.find(sources.digest_of(Source(path)))
        total = int(index.videos['frames'][row])
        picture, *_ = index.read(row, 0, np.arange(total))
        original = next(sources.open_frames(Source(path))[2])
        size = copy_size(*original.shape[1::-1], 24)
        assert picture.shape[1::-1] == size
        # A player opens it, and shows the same.
        player = cv2.VideoCapture(index.path(row, 0))
        shown, *others = (frame
                          for _, frame in iter(player.read, (False, None)))
        assert len(others) == total - 1
        assert np.abs(shown[..., ::-1].astype(int) - picture).mean() < 16


def test_identical_files_share_a_copy_and_pictures_do_not(made, tmp_path):
    """Folders of pictures differ by their names."""
    for name in ('a', 'b'):
        shutil.copytree(made / 'pictures/one/0', tmp_path / name)
        shutil.copy(made / 'one/0.mp4', tmp_path / f'{name}.mp4')
    digests = [{
        sources.digest_of(Source(str(tmp_path / name), *args))
        for name in names
    } for names, args in ((('a.mp4', 'b.mp4'), ('decord', )),
                          (('a', 'b'), ('frames', '{}.png', 3, 5)))]
    assert list(map(len, digests)) == [1, 2]
