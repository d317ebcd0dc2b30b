"""Rebuild transforms for clip shapes; compare with numbers by hand."""

import random

import numpy as np
import pytest
from mmaction_multigrid import register_transform_rule
from mmaction_multigrid.config.pipeline import (read_clip_shape, wrap,
                                                wrap_pipeline)
from mmaction_multigrid.core.dataset import (ClipShape, clip_shape,
                                             current_shape)
from mmaction_multigrid.core.transform_rules import RULES
from mmaction_multigrid.core.transforms import MultigridTransform
from mmcv.transforms import BaseTransform

import mmaction.datasets  # noqa: F401
from mmaction.registry import TRANSFORMS

COARSE = ClipShape(8, 158, 32, 224)
BASE = ClipShape(32, 224, 32, 224)
SIZE = (240, 320)


def frames_of(shape=SIZE, count=4, seed=0):
    generator = np.random.RandomState(seed)
    return dict(
        imgs=[
            generator.randint(0, 255, (*shape, 3), dtype=np.uint8)
            for _ in range(count)
        ],
        img_shape=shape,
        modality='RGB',
        num_clips=1,
        clip_len=count)


def apply(config, grid, results, seed=0):
    np.random.seed(seed)
    random.seed(seed)
    transform = MultigridTransform(config)
    if grid is None:
        return transform(results)
    with clip_shape(grid):
        return transform(results)


@pytest.mark.parametrize(
    ('config', 'expected'),
    [
        (dict(type='Resize', scale=(-1, 256)),
         (181, 241)),  # 256 * 158 / 224 = 180.6, and 4:3 of it
        (dict(type='Resize', scale=(224, 224), keep_ratio=False), (158, 158)),
        (dict(type='Resize', scale=(340, 256), keep_ratio=False), (181, 240)),
        (dict(type='Resize', scale=0.5),
         (85, 113)),  # half of 240 x 320, times 158 / 224
        (dict(type='RandomCrop', size=224), (158, 158)),
        (dict(type='CenterCrop', crop_size=224), (158, 158)),
        (dict(type='CenterCrop', crop_size=(224, 112)), (79, 158)),
    ])
def test_sizes_by_hand(config, expected):
    assert tuple(apply(config, COARSE, frames_of())['img_shape']) == expected


def test_random_rescale_jitters_in_the_scaled_range():
    sizes = {
        min(
            apply(
                dict(type='RandomRescale', scale_range=(256, 320)), COARSE,
                frames_of(), seed)['img_shape'])
        for seed in range(300)
    }
    assert (min(sizes), max(sizes)) == (181, 226)


def test_multi_scale_crop_takes_the_same_share_of_the_image():
    config = dict(
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, 0.8),
        random_crop=False,
        max_wh_scale_gap=0)
    coarse = frames_of((158, 211))
    sizes = {
        tuple(apply(config, COARSE, dict(coarse), seed)['img_shape'])
        for seed in range(40)
    }
    assert sizes == {(158, 158), (126, 126)}


KINETICS = [
    dict(type='SampleFrames', clip_len=32, frame_interval=2, num_clips=1),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
]
SSV2 = [
    dict(type='UniformSample', clip_len=16),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, .875, .75),
        random_crop=False,
        max_wh_scale_gap=1),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
]
register_transform_rule('OwnDecode', decodes='images')
DEMO = [
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 56)),
    dict(type='RandomCrop', size=48),
]


@pytest.mark.parametrize(
    ('pipeline', 'lazy'),
    [
        (KINETICS, [2, 3, 4]),
        (SSV2, [2, 3, 4]),
        (DEMO, [1, 2]),
        (KINETICS[:3], []),  # nothing to crop
        ([dict(type='OwnDecode'), *DEMO[1:]], [1, 2]),
        ([dict(type='PoseDecode'), *KINETICS[2:]], []),  # key points
        ([DEMO[0], dict(type='ColorJitter'), *DEMO[1:]
          ], []),  # has to see the whole frame
        ([
            DEMO[0],
            dict(type='Resize', scale=(-1, 56), lazy=True),
            dict(type='RandomCrop', size=48, lazy=True),
            dict(type='Fuse')
        ], []),
    ])  # the user's own
def test_transforms_that_crop_before_they_resize(pipeline, lazy):
    wrapped = wrap_pipeline(pipeline)
    assert [i for i, step in enumerate(wrapped) if step.get('lazy')] == lazy
    at = [i for i, step in enumerate(wrapped) if step['type'] == 'FuseOnGrid']
    assert at == ([lazy[-1] + 1] if lazy else [])
    stock = [
        step.get('transform', step) for step in wrapped
        if step['type'] != 'FuseOnGrid'
    ]
    assert stock == pipeline


def smooth_frames():
    """Make waves of twenty pixels, which resampling hardly changes."""
    y, x = np.mgrid[:480, :640] / 20
    waves = [
        np.stack([np.sin(x + t), np.cos(y - t),
                  np.sin(x + y)], axis=-1) for t in range(2)
    ]
    return dict(
        imgs=[(127 + 100 * wave).astype(np.uint8) for wave in waves],
        img_shape=(480, 640),
        modality='RGB',
        num_clips=1,
        clip_len=2)


@pytest.mark.parametrize('grid',
                         [ClipShape(8, 112, 32, 224), COARSE, BASE, None])
@pytest.mark.parametrize('pipeline', [KINETICS[2:], SSV2[2:]])
def test_cropped_first_is_the_same_clip(pipeline, grid):
    """Boxes, flips and random numbers are the same; pixels differ by 4 of
    255."""
    steps = wrap_pipeline([dict(type='RawFrameDecode'), *pipeline])[1:]
    assert (
        steps[-1 if 'Flip' not in str(steps) else -2]['type'] == 'FuseOnGrid')
    with clip_shape(grid or BASE):
        for seed in range(3):
            outcomes = []
            for chain in (steps, [wrap(step) for step in pipeline]):
                np.random.seed(seed), random.seed(seed)
                results = smooth_frames()
                for step in chain:
                    results = TRANSFORMS.build(step)(results)
                outcomes.append((results, np.random.get_state()[1].tolist(),
                                 random.getstate()))
            (ours, *random_numbers), (stock, *expected) = outcomes
            assert random_numbers == expected
            assert 'lazy' not in ours
            for key in ('crop_bbox', 'img_shape', 'flip', 'scale_factor'):
                assert np.array_equal(ours.get(key, 0), stock.get(key, 0)), key
            distance = np.abs(
                np.array(ours['imgs'], dtype=float) -
                np.array(stock['imgs'])).mean()
            assert distance < 4 if grid not in (BASE, None) else distance == 0


def sample(config, grid, total_frames=300, seed=0):
    results = apply(config, grid,
                    dict(total_frames=total_frames, start_index=0), seed)
    return results['frame_inds']


def test_coarse_clips_draw_their_frame_interval():
    config = dict(
        type='SampleFrames', clip_len=32, frame_interval=2, num_clips=1)
    intervals = []
    for seed in range(400):
        inds = sample(config, COARSE, seed=seed)
        assert len(inds) == 8
        steps = set(np.diff(inds))
        assert len(steps) == 1
        intervals.append(steps.pop())
    assert set(intervals) == {2, 3, 4, 5, 6, 7, 8}
    counts = [intervals.count(value) for value in range(2, 9)]
    assert min(counts) > 400 / 7 / 2  # uniform


def test_dense_and_uniform_sampling():
    dense = dict(
        type='DenseSampleFrames', clip_len=32, frame_interval=2, num_clips=1)
    assert len(sample(dense, COARSE)) == 8
    uniform = sample(
        dict(type='UniformSample', clip_len=32), ClipShape(16, 224, 32, 224))
    assert len(uniform) == 16
    assert uniform[-1] > 270  # still over the whole video
    poses = apply(
        dict(type='UniformSampleFrames', clip_len=48),
        ClipShape(12, 28, 48, 56), dict(total_frames=100, start_index=0))
    assert len(poses['frame_inds']) == 12


PIPELINE = [
    KINETICS[0],
    dict(type='RandomRescale', scale_range=(256, 320)),
    *KINETICS[2:5],
    dict(SSV2[3], random_crop=True),
    dict(type='RandomCrop', size=224),
    dict(type='CenterCrop', crop_size=200),
]


@pytest.mark.parametrize('grid', [None, BASE])
@pytest.mark.parametrize('config', PIPELINE, ids=lambda config: config['type'])
def test_the_base_shape_equals_the_stock_transform(config, grid):
    inputs = dict(frames_of(), total_frames=300, start_index=0)
    np.random.seed(7)
    random.seed(7)
    stock = TRANSFORMS.build(config)(dict(inputs))
    state = np.random.get_state()[1].tolist(), random.getstate()
    ours = apply(config, grid, dict(inputs), seed=7)
    assert (np.random.get_state()[1].tolist(), random.getstate()) == state
    assert stock.keys() == ours.keys()
    for key in stock:
        assert np.array_equal(np.asarray(stock[key]), np.asarray(ours[key])), (
            key)


@TRANSFORMS.register_module()
class UserBlur(BaseTransform):
    """Transform of a user, in pixels."""

    def __init__(self, radius, mode='box'):
        self.radius = radius

    def transform(self, results):
        return dict(results, radius=self.radius)


def test_an_unknown_transform_needs_a_rule():
    for build in (MultigridTransform, wrap):
        with pytest.raises(
                ValueError, match="'UserBlur'.*register_transform_rule"):
            build(dict(type='UserBlur', radius=8))
    try:
        register_transform_rule('UserBlur', pixels=['radius'])
        assert apply(
            dict(type='UserBlur', radius=8), ClipShape(8, 112, 32, 224),
            {})['radius'] == 4
        register_transform_rule('UserBlur')
        step = dict(type=UserBlur, radius=8)
        assert wrap(step) is step
    finally:
        RULES.pop('UserBlur', None)


@pytest.mark.parametrize(('pipeline', 'expected'), [
    (KINETICS, (32, 224, 2)),
    (SSV2, (16, 224, None)),
    ([
        dict(type='SampleFrames', clip_len=16),
        dict(type='Resize', scale=(171, 128), keep_ratio=False),
        dict(type='RandomCrop', size=112)
    ], (16, 112, 1)),
    ([
        dict(type='UniformSampleFrames', clip_len=dict(RGB=8, Pose=32)),
        dict(type='CenterCrop', crop_size=(56, 48))
    ], (32, 48, None)),
])
def test_base_shape(pipeline, expected):
    assert read_clip_shape(pipeline) == expected


@pytest.mark.parametrize(('pipeline', 'message'), [
    ([dict(type='RandomCrop', size=112)], 'samples no frames'),
    ([dict(type='SampleFrames', clip_len=8)], 'no fixed size'),
    ([
        dict(type='SampleFrames', clip_len=8),
        dict(type='CenterCrop', crop_size=64),
        dict(type='RandomResizedCrop'),
    ], 'no fixed size'),
    ([dict(type='SampleFrames', clip_len=8),
      dict(type='MyOwn')], "'MyOwn'"),
])
def test_no_base_shape(pipeline, message):
    with pytest.raises(ValueError, match=message):
        read_clip_shape(pipeline)


def test_a_clip_shape_ends_with_its_block():
    assert current_shape() is None
    with pytest.raises(KeyError), clip_shape(COARSE):
        assert current_shape() is COARSE
        raise KeyError
    assert current_shape() is None
