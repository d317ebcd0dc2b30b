"""Read full clips from a store in training without multigrid."""

import copy
import logging
import pickle
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction_multigrid.frame_store import FrameStoreHook, build
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.runner import BaseLoop

from mmaction.registry import DATASETS, TRANSFORMS
from .test_sources import (READERS, concat, frames, pipeline, repeat,
                           sources_from, video)


@TRANSFORMS.register_module()
class MyNoise(BaseTransform):
    """A user's transform, for which no rule is registered."""

    def transform(self, results):
        return results


SEEN = ('frame_inds', 'crop_quadruple', 'flip', 'img_shape')
STEPS = [
    dict(type='Resize', scale=(-1, 64)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(40, 40), keep_ratio=False),
    dict(type='Flip'),
    dict(type='MyNoise'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=SEEN),
]


class Loop(BaseLoop):
    """A loop that has a dataset and runs nothing."""

    def run(self):
        raise NotImplementedError


def attach(dataset, store, splits=('train', )):
    """Build a dataset, and let the hook change it as a runner would."""
    built = DATASETS.build(copy.deepcopy(dataset))
    cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
    runner = SimpleNamespace(
        cfg=cfg,
        logger=logging.getLogger(),
        _train_loop=Loop(None, SimpleNamespace(dataset=built)),
        _test_loop=dict())  # a run that only trains never builds it
    FrameStoreHook(str(store), splits).before_run(runner)
    return built


def segments(videos, reader, unit, pipeline):
    """Segments of frames 2 to 8 and 4 to 10, of 25 a second."""
    rate = 25 if unit == 'seconds' else 1
    lines = ''.join(f'{name}.mp4 {begin / rate} {begin / rate + 7 / rate} 0\n'
                    for name, begin in ((0, 2), (0, 3), (1, 4)))
    opener, *rest = pipeline
    return dict(
        video(videos, lines=lines),
        type='VideoSegmentDataset',
        unit=unit,
        pipeline=[opener, dict(type='LimitToSegment'), *rest])


def steps_of(reader, **sampling):
    begin = pipeline(reader)[:-4]
    return [
        dict(step, **sampling) if step['type'] == 'SampleFrames' else step
        for step in begin
    ] + STEPS


@pytest.mark.parametrize('sampling', [
    dict(clip_len=4, frame_interval=2),
    dict(clip_len=1, num_clips=4),
    dict(clip_len=4, num_clips=2, test_mode=True)
])
@pytest.mark.parametrize(('reader', 'unit'), [
    *((reader, None) for reader in READERS),
    *((reader, 'frames') for reader in READERS if reader != 'frames'),
    ('decord', 'seconds'),
])
def test_clips_equal_those_of_the_originals(videos, tmp_path, reader, unit,
                                            sampling):
    """Only JPEG changes their pixels."""
    steps = steps_of(reader, **sampling)
    if unit:
        part = segments(videos, reader, unit, steps)
    else:
        make = frames if reader == 'frames' else video
        part = make(videos, pipeline=steps)
    dataset = repeat(concat(part, copy.deepcopy(part)))
    store = tmp_path / 'store'
    build.build(sources_from(dataset), store, [64])
    plain, ours = DATASETS.build(dataset), attach(dataset, store,
                                                  ('train', 'test'))
    for index in range(len(plain)):
        stock, stored = (clip_of(each, index, index) for each in (plain, ours))
        for key in SEEN:
            assert np.array_equal(stock['data_samples'].get(key),
                                  stored['data_samples'].get(key))
        assert_equal_but_for_jpeg(stock, stored)


def clip_of(dataset, index, seed):
    np.random.seed(seed)
    random.seed(seed)
    return dataset[index]


def assert_equal_but_for_jpeg(stock, stored):
    """Compare two clips.

    JPEG keeps a quarter of the colours.
    """
    assert stock['inputs'].shape == stored['inputs'].shape
    error = (stock['inputs'].float() - stored['inputs'].float()).mean(1)
    psnr = 20 * np.log10(255 / error.square().mean().sqrt().item())
    assert 35 < psnr < 100


def test_boxes_follow(videos, tmp_path):
    """Of key frames; the pictures are 3.png to 12.png."""
    boxes = np.array([[.1, .2, .5, .9], [.3, 0, .8, .7]])
    (tmp_path / 'list.csv').write_text(''.join(
        f'{video},1,{",".join(map(str, box))},1,{i}\n' for video in (0, 1)
        for i, box in enumerate(boxes.tolist())))
    with open(tmp_path / 'proposals.pkl', 'wb') as file:
        pickle.dump({f'{video},0001': boxes[::-1] for video in (0, 1)}, file)
    dataset = dict(
        type='AVADataset',
        ann_file=str(tmp_path / 'list.csv'),
        exclude_file=None,
        proposal_file=str(tmp_path / 'proposals.pkl'),
        data_prefix=dict(img=str(videos / 'pictures' / 'one')),
        filename_tmpl='{}.png',
        start_index=3,
        timestamp_start=0,
        timestamp_end=2,
        fps=5,
        num_classes=3,
        pipeline=[
            dict(type='SampleAVAFrames', clip_len=4, frame_interval=2),
            dict(type='RawFrameDecode'),
            dict(type='RandomRescale', scale_range=(48, 64)),
            dict(type='RandomCrop', size=40),
            dict(type='Flip'),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs', meta_keys=SEEN),
        ])
    store = tmp_path / 'store'
    assert build.build(sources_from(dataset), store, [64])['videos'] == 2
    plain, ours = DATASETS.build(dataset), attach(dataset, store)
    for seed in range(8):
        stock, stored = (
            clip_of(each, seed % 2, seed) for each in (plain, ours))
        assert_equal_but_for_jpeg(stock, stored)
        for each in ('gt_instances', 'proposals'):
            expected, found = (
                getattr(clip['data_samples'], each).bboxes
                for clip in (stock, stored))
            assert len(expected) == 2 and torch.equal(expected, found)


@pytest.mark.parametrize(('splits', 'store', 'message'), [
    ('train', 'store', r"splits = 'train': must be a list of train, val"),
    (['training'], 'store', r"splits = \['training'\]: must be"),
    (['train'], 'gone', 'gone.*has no grid_store.json'),
    (['train'
      ], 'small', 'small.*edge of 24 pixels, .* need 64.*--sides 24 64'),
    (['train'], 'other', "other.*none of the train clips .* by 'decord'; add"),
    ([['train']], 'store', 'splits = .* must be'),
    (3, 'store', 'splits = 3: must be'),
    (['train'], 'list.txt', 'list.txt.*has no grid_store.json'),
])
def test_errors(videos, tmp_path, splits, store, message):
    dataset = video(videos, pipeline=steps_of('decord'))
    for name, short_edge in (('store', 64), ('small', 24)):
        build.build(sources_from(dataset), tmp_path / name, [short_edge])
    build.build(sources_from(video(videos, 'two')), tmp_path / 'other', [64])
    (tmp_path / 'list.txt').touch()
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        attach(dataset, tmp_path / store, splits)


def test_clips_that_are_missing_are_counted(videos, tmp_path, caplog):
    dataset = video(videos, pipeline=steps_of('decord'))
    first, *rest = sources_from(dataset)
    build.build([first], tmp_path / 'store', [64])
    attach(dataset, tmp_path / 'store')
    assert f'train: {len(rest)} of {1 + len(rest)} clips that' in caplog.text


def test_multigrid_training_has_a_key_of_its_own(videos, tmp_path):
    wrapped = dict(
        type='MultigridDataset',
        base_shape=(8, 40),
        dataset=video(videos, pipeline=steps_of('decord')))
    with pytest.raises(ValueError, match="leave 'train' out and set multi"):
        attach(wrapped, tmp_path)


def test_a_path_is_needed():
    with pytest.raises(TypeError, match='store = None: must be the path'):
        FrameStoreHook(None)
