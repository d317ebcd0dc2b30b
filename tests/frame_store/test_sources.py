"""From every kind of data set to a store and back: each frame is its original's."""

import cv2
import mmaction.datasets  # noqa: F401
import numpy as np
import pytest
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.config import Config

import mmaction_multigrid.charades  # noqa: F401
from mmaction_multigrid.datasets import Grid, MultigridDataset, MultigridTransform, leaves, open_grid
from mmaction_multigrid.schedule import Shape
from mmaction_multigrid.frame_store import GridStoreInit
from mmaction_multigrid.frame_store.avi import Writer, copy_size, read_frames
from mmaction_multigrid.frame_store.build import build, choose_sides
from mmaction_multigrid.frame_store.copying import Settings
from mmaction_multigrid.frame_store.frames import container_rate, open_frames
from mmaction_multigrid.frame_store.index import Index
from mmaction_multigrid.frame_store.names import copy_path
from mmaction_multigrid.frame_store.sources import find_root, sources_of

from ..videos import encode, odd_videos

STEPS = [dict(type='SampleFrames', clip_len=8), dict(type='Resize', scale=(-1, 48)), dict(type='RandomCrop', size=40),
         dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs')]
READERS = dict(decord=('DecordInit', 'DecordDecode'), pyav=('PyAVInit', 'PyAVDecode'),
               opencv=('OpenCVInit', 'OpenCVDecode'), frames=('RawFrameDecode', ))
COARSE = Shape(8, 4, 20)


def pipeline(reader):
    *opener, decoder = ({'type': name} for name in READERS[reader])
    return [*opener, STEPS[0], decoder, *STEPS[1:]]


def config_of(dataset):
    return Config(dict(train_dataloader=dict(dataset=dataset)))


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Two folders of two videos each, which have frames of 96 x 64, and the same as pictures, counted from 3."""
    folder = tmp_path_factory.mktemp('sources')
    for part in ('one', 'two'):
        (folder / part).mkdir()
        for i in range(2):
            path = encode(folder / part / f'{part}{i}.mp4', 10 + i, grain=8)
            pictures = folder / 'pictures' / part / str(i)
            pictures.mkdir(parents=True)
            capture = cv2.VideoCapture(str(path))
            for number in range(10 + i):
                cv2.imwrite(str(pictures / f'{number + 3}.png'), capture.read()[1])
        (folder / f'{part}.txt').write_text(f'{part}0.mp4 0\n{part}1.mp4 1\n')
    (folder / 'pictures.txt').write_text('one/0 10 0\none/1 11 1\ntwo/0 10 0\ntwo/1 11 1\n')
    (folder / 'offsets.txt').write_text('one/0 2 8 0\none/1 0 11 1\n')
    return folder


def video(videos, part='one', reader='decord', **settings):
    return dict(type='VideoDataset', ann_file=str(videos / f'{part}.txt'), data_prefix=dict(video=str(videos / part)),
                pipeline=pipeline(reader), **settings)


def frames(videos, name='pictures.txt', **settings):
    return dict(type='RawframeDataset', ann_file=str(videos / name), data_prefix=dict(img=str(videos / 'pictures')),
                filename_tmpl='{}.png', start_index=3, pipeline=pipeline('frames'), **settings)


def concat(*datasets):
    return dict(type='ConcatDataset', datasets=list(datasets))


DATASETS_OF = dict(
    **{reader: lambda videos, reader=reader: video(videos, reader=reader) for reader in ('decord', 'pyav', 'opencv')},
    frames=frames,
    offsets=lambda videos: frames(videos, 'offsets.txt', with_offset=True),
    repeat=lambda videos: dict(type='RepeatDataset', times=2, dataset=video(videos)),
    concat=lambda videos: concat(video(videos), video(videos, 'two', 'pyav'), frames(videos)),
    nested=lambda videos: dict(type='RepeatDataset', times=2, dataset=concat(
        dict(type='RepeatDataset', times=2, dataset=video(videos)), video(videos, 'two'))),
    data_root=lambda videos: dict(video(videos), data_root=str(videos), ann_file='one.txt',
                                  data_prefix=dict(video='one')),
    slashes=lambda videos: dict(video(videos), data_prefix=dict(video=f'{videos}/two/../one//')))


def with_store(dataset, store):
    """The config of a data set, with its leaves' pipelines changed as ``apply_multigrid`` does."""
    if 'pipeline' in dataset:
        return dict(dataset, pipeline=MultigridTransform.wrap_pipeline(GridStoreInit.insert(dataset, str(store))))
    key = 'dataset' if 'dataset' in dataset else 'datasets'
    inner = dataset[key]
    return {**dataset, key: [with_store(one, store) for one in inner] if key == 'datasets' else with_store(inner, store)}


@pytest.mark.filterwarnings('ignore')  # the decoders' own
@pytest.mark.parametrize('kind', DATASETS_OF)
def test_there_and_back(videos, tmp_path, kind):
    dataset = DATASETS_OF[kind](videos)
    sources = sources_of(config_of(dataset))
    assert len(sources) == dict(concat=8, nested=4, frames=4).get(kind, 2)
    assert build(sources, tmp_path / 'store', Settings((24, )), processes=1)['videos'] == len(sources)
    built = MultigridDataset(DATASETS.build(with_store(dataset, tmp_path / 'store')), (8, 40))
    built.report_to(str(tmp_path / 'report'))
    assert built[0, COARSE]['inputs'].shape == (1, 3, 4, 20, 20)
    for leaf in leaves(built.dataset):
        opener = next(step for step in leaf.pipeline.transforms if isinstance(step, GridStoreInit))
        decoder = next(step for step in leaf.pipeline.transforms if hasattr(step, 'by_start'))
        for index in range(len(leaf)):
            check_frames(leaf.get_data_info(index), opener, decoder)
    assert not (tmp_path / 'report').exists()


def check_frames(info, opener, decoder):
    """Each frame that the store gives is near to its original's, and nearer than to any other."""
    stock = opener.original(dict(info)) if opener.original else dict(info)
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
    small = np.stack([cv2.resize(frame, (36, 24), interpolation=cv2.INTER_AREA) for frame in stock['imgs']])
    found = np.stack(ours['imgs'])
    distance = np.abs(found.astype(int)[:, None] - small[None]).mean((2, 3, 4))
    assert (distance.argmin(1) == np.arange(total)).all()
    assert np.abs(found.mean(-1) - small.mean(-1)).mean() < 5  # of these wild colours JPEG keeps a quarter


def test_another_list_and_folder_than_the_configs(videos):
    dataset = dict(type='RepeatDataset', times=2, dataset=video(videos, data_root='nowhere'))
    sources = sources_of(config_of(dataset), videos / 'two.txt', videos / 'two')
    assert [source.name for source in sources] == ['two0.mp4', 'two1.mp4']
    sources = sources_of(config_of(frames(videos, 'none.txt')), videos / 'pictures.txt', videos / 'pictures')
    assert sources[0].pictures == str(videos / 'pictures' / 'one' / '0' / '{}.png')


def test_what_cannot_be_stored(videos):
    with pytest.raises(ValueError, match="modality = 'Flow': a grid store holds RGB"):
        sources_of(config_of(frames(videos, modality='Flow')))
    with pytest.raises(ValueError, match='opens no videos'):
        sources_of(config_of(dict(video(videos), pipeline=STEPS)))
    for dataset, message in ((dict(video(videos), pipeline=STEPS), 'opens no videos'),
                             (dict(video(videos), pipeline=pipeline('decord')[1:]), 'nothing before it opens'),
                             (dict(video(videos), type='RepeatAugDataset'), 'RepeatAugDataset opens')):
        with pytest.raises(ValueError, match=f'multigrid.grid_store: .*{message}'):
            GridStoreInit.insert(dataset, 'store')


def test_sides_from_the_videos(videos, tmp_path, small_config):
    """A pipeline that crops a share of the frames, here of 64 pixels, on crops of 24, 34 and 48."""
    cfg = Config.fromfile(small_config)
    cfg.train_dataloader.dataset = dict(video(videos), pipeline=[
        *pipeline('decord')[:3], dict(type='RandomResizedCrop'), dict(type='Resize', scale=(48, 48), keep_ratio=False)])
    assert choose_sides(cfg, sources_of(cfg), full=False) == (32, 45)
    assert choose_sides(cfg, sources_of(cfg), full=True) == (32, 45, 64)
    (videos / 'none.txt').write_text('none.mp4 0\n')
    with pytest.raises(ValueError, match='none of the videos can be opened'):
        choose_sides(cfg, sources_of(cfg, videos / 'none.txt'), full=False)


@pytest.mark.parametrize(('size', 'side', 'expected'), [
    ((454, 256), 128, (227, 128)), ((454, 256), 181, (321, 181)), ((340, 256), 128, (170, 128)), ((96, 54), 64, (96, 54)),
    ((128, 97), 64, (84, 64))])
def test_the_size_of_a_copy_is_what_the_pipeline_resizes_to(size, side, expected):
    assert copy_size(*size, side) == expected
    picture = dict(imgs=[np.zeros((size[1], size[0], 3), np.uint8)], img_shape=size[::-1])
    if side < min(size):
        resized = TRANSFORMS.build(dict(type='Resize', scale=(-1, side)))(picture)
        assert resized['img_shape'][::-1] == expected


def test_odd_videos(tmp_path):
    (tmp_path / 'videos').mkdir()
    names = odd_videos(tmp_path / 'videos')
    (tmp_path / 'list.txt').write_text(''.join(f'{name}|0\n' for name in names), encoding='utf-8')
    dataset = dict(type='VideoDataset', ann_file=str(tmp_path / 'list.txt'), delimiter='|', pipeline=pipeline('decord'),
                   data_prefix=dict(video=str(tmp_path / 'videos')))
    sources = sources_of(config_of(dataset))
    result = build(sources, tmp_path / 'store', Settings((24, )), processes=1)
    assert (result['videos'], result['failed']) == (len(names), {})
    index = Index(str(tmp_path / 'store'))
    for source in sources:
        info = index.video(index.find(source.name)[0])
        key = index.key(index.find(source.name)[0])
        path = copy_path(str(tmp_path / 'store'), 24, key)
        pictures = read_frames(path, info.copies[0].frames, range(info.frames))
        assert pictures[0].shape[1::-1] == copy_size(info.width, info.height, 24)
        # Any player opens it, and sees the same.
        capture = cv2.VideoCapture(path)
        assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == info.frames
        assert np.abs(capture.read()[1][..., ::-1].astype(int) - pictures[0]).mean() < 16  # colours are interpolated


def test_rates():
    assert container_rate(30000 / 1001).denominator == 1001
    for unknown in (0., -1., float('nan'), float('inf'), 1e-9):
        assert container_rate(unknown) == 25


def test_a_frame_that_the_copy_does_not_have(tmp_path):
    writer = Writer(tmp_path / 'a.avi', (32, 24), container_rate(25), 90)
    for _ in range(3):
        writer.write(np.zeros((24, 32, 3), np.uint8))
    copy = writer.close()
    for wanted in ([3], [-1], [0, 5]):
        with pytest.raises(IndexError, match='has 3 frames'):
            read_frames(str(tmp_path / 'a.avi'), copy.frames, wanted)


def test_pictures_that_are_broken(videos, tmp_path):
    config = frames(videos)
    source = sources_of(config_of(config))[0]
    (tmp_path / '3.png').write_bytes(b'no picture')
    broken = type(source)('x', str(tmp_path / '3.png'), 'frames', str(tmp_path / '{}.png'), 3, 2)
    with pytest.raises(ValueError, match='is no picture'):
        list(open_frames(broken)[2])
    assert find_root(config) == str(videos / 'pictures')
