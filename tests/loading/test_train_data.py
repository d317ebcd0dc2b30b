"""A list, a folder or first clips that are not there: one error before
training, and before the model."""

import pickle

import numpy as np
import pytest
from mmaction_multigrid.config.pipeline import wrap

from mmaction.registry import DATASETS
from ..toy import tolerant_dataset
from .test_bad_videos import STEPS, write_list

FRAMES = [
    dict(type='SampleFrames', clip_len=8),
    dict(type='RawFrameDecode'), *STEPS[3:]
]


def listed(folder, names, steps=STEPS, kind='VideoDataset', **settings):
    folder.mkdir(exist_ok=True)
    write_list(folder, names)
    return dict(
        dict(
            type=kind,
            ann_file=str(folder / 'list.txt'),
            data_prefix=dict(video=str(folder)),
            delimiter='|',
            pipeline=[wrap(step) for step in steps]), **settings)


WRAPPERS = dict(
    plain=lambda data, fine: data,
    nested=lambda data, fine: dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(type='ConcatDataset', datasets=[fine, data])))


@pytest.fixture(params=[*WRAPPERS, 'lazy', 'built'])
def build(request, tmp_path):
    """Builds the data set around one whose clips may be missing, which others
    may stand beside."""

    def build(data):
        if request.param == 'lazy':
            data.update(lazy_init=True)
        if request.param == 'built':
            return tolerant_dataset(DATASETS.build(data), (8, 40))
        fine = listed(tmp_path / 'fine', ['a.mp4'])
        (tmp_path / 'fine' / 'a.mp4').touch()
        return tolerant_dataset(
            WRAPPERS.get(request.param, WRAPPERS['plain'])(data, fine),
            (8, 40))

    return build


@pytest.mark.parametrize('build', [*WRAPPERS, 'lazy'], indirect=True)
def test_no_list(tmp_path, build):
    data = listed(
        tmp_path / 'data', [], ann_file=str(tmp_path / 'no_list.txt'))
    with pytest.raises(
            FileNotFoundError,
            match=r"^VideoDataset\.ann_file = '.*no_list\.txt': there is no "
            'such file'):
        build(data)


def test_no_list_below_the_data_root(tmp_path):
    data = listed(
        tmp_path / 'data', ['a.mp4'],
        ann_file='no_list.txt',
        data_root=str(tmp_path))
    with pytest.raises(
            FileNotFoundError,
            match=rf"ann_file = 'no_list\.txt'.*data_root = '{tmp_path}'"):
        tolerant_dataset(data, (8, 40))


def test_no_folder(tmp_path, build):
    data = listed(
        tmp_path / 'data', ['a.mp4', 'b.mp4'],
        data_prefix=dict(video=str(tmp_path / 'no_folder')))
    with pytest.raises(
            FileNotFoundError,
            match=r'VideoDataset\.data_prefix = '
            r'.*no_folder.*no such folder.*a\.mp4'):
        build(data)


def test_no_clips(tmp_path, build):
    data = listed(tmp_path / 'data', [f'{i}.mp4' for i in range(30)])
    (tmp_path / 'data' / '20.mp4').touch()
    with pytest.raises(
            FileNotFoundError,
            match=r'none of the first 10 clips .*/0\.mp4.*data_prefix = '):
        build(data)


def test_one_of_the_first_clips_is_enough(tmp_path, build):
    data = listed(tmp_path / 'data', [str(i) for i in range(30)])
    (tmp_path / 'data' / '9.mp4').touch()
    build(data)


@pytest.mark.parametrize(
    ('content', 'message'),
    [('a.mp4|0\n跑步.mp4|0\n'.encode('gbk'), r'list\.txt, line 2: is not UTF-8'),
     (b'\xef\xbb\xbfa.mp4|0\nb.mp4|1\n',
      r'list\.txt.*byte-order mark.*save the list as UTF-8 without one')])
def test_lists_of_other_encodings(tmp_path, content, message):
    data = listed(tmp_path / 'data', ['a.mp4'])
    (tmp_path / 'data' / 'b.mp4').touch()
    (tmp_path / 'data' / 'list.txt').write_bytes(content)
    with pytest.raises(ValueError, match=message):
        tolerant_dataset(data, (8, 40))


def test_folders_of_frames(tmp_path):
    (tmp_path / 'list.txt').write_text('a 20 0\nb 20 1\n')
    data = dict(
        type='RawframeDataset',
        ann_file=str(tmp_path / 'list.txt'),
        data_prefix=dict(img=str(tmp_path)),
        pipeline=[wrap(step) for step in FRAMES])
    with pytest.raises(
            FileNotFoundError,
            match=r'RawframeDataset: none of the first 2 clips .*/a'):
        tolerant_dataset(data, (8, 40))
    (tmp_path / 'b').mkdir()
    tolerant_dataset(data, (8, 40))


def test_what_is_no_local_file_is_left_alone(tmp_path):
    """Remote names, keys of a data base, key points, clips made up in
    memory."""
    tolerant_dataset(
        listed(
            tmp_path / 'a', ['a.mp4'], data_prefix=dict(video='s3://bucket')),
        (8, 40))
    steps = [
        dict(
            STEPS[0],
            io_backend='memcached',
            server_list_cfg='',
            client_cfg=''), *STEPS[1:]
    ]
    tolerant_dataset(listed(tmp_path / 'b', ['a.mp4'], steps), (8, 40))
    person = dict(
        frame_dir='a',
        label=0,
        total_frames=20,
        keypoint=np.zeros((1, 20, 17, 2)))
    (tmp_path / 'poses.pkl').write_bytes(pickle.dumps([person]))
    tolerant_dataset(
        dict(
            type='PoseDataset',
            ann_file=str(tmp_path / 'poses.pkl'),
            pipeline=[
                dict(type='UniformSampleFrames', clip_len=8),
                dict(type='PoseDecode')
            ]), (8, 40))
    tolerant_dataset(dict(type='ToyDataset'), (8, 40))
