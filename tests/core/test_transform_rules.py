"""Scale the arguments of transforms by their rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction_multigrid import register_transform_rule
from mmaction_multigrid.core.dataset import ClipShape
from mmaction_multigrid.core.transform_rules import (find_rule, scale_frames,
                                                     scale_pixels)

import mmaction.datasets  # noqa: F401


@pytest.mark.parametrize(('args', 'error'), [
    (dict(name=''), TypeError),
    (dict(name='A', pixels='size'), TypeError),
    (dict(name='A', frames='clip_len'), TypeError),
    (dict(name='A', opens='frames'), ValueError),
    (dict(name='A', decodes='DecordDecode'), ValueError),
])
def test_a_rule_must_make_sense(args, error):
    with pytest.raises(error):
        register_transform_rule(**args)


@pytest.mark.parametrize('name', [
    'Flip', 'RandomResizedCrop', 'ColorJitter', 'FormatShape',
    'PackActionInputs', 'DecordInit', 'DecordDecode', 'PyAVInit', 'PyAVDecode',
    'OpenCVInit', 'OpenCVDecode', 'RawFrameDecode'
])
def test_transforms_without_a_shape_do_not_change(name):
    assert not find_rule(dict(type=name)).depends_on_shape
    assert find_rule(dict(type=f'mmaction.{name}')) is find_rule(
        dict(type=name))


def test_scaling_values():
    assert scale_pixels((-1, 256), 0.5) == (-1, 128)
    assert scale_pixels([float('inf'), 256], 0.5) == [float('inf'), 128]
    assert scale_pixels(1, 0.1) == 1
    assert scale_pixels((16, 17), 0.5) == (8, 9)  # a range never closes
    assert (scale_frames(dict(RGB=8, Pose=32),
                         ClipShape(8, 112, 32, 224)) == dict(RGB=2, Pose=8))


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 20))
def test_intervals_never_exceed_the_base_span(base, frames, interval):
    frames = min(base, frames)
    rule = find_rule(dict(type='SampleFrames'))
    variants = rule.variants(
        dict(clip_len=base, frame_interval=interval),
        ClipShape(frames, 1, base, 1))
    assert {v['clip_len'] for v in variants} == {frames}
    values = [v['frame_interval'] for v in variants]
    assert values == list(range(interval, interval * (base // frames) + 1))
    assert frames * values[-1] <= base * interval
