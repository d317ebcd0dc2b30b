"""Crops that the network's stride does not divide."""

import pytest

from mmaction_multigrid import MultigridSchedule, plan
from mmaction_multigrid.plan.rounding import rounded_shapes, rounding_advice, total_stride
from mmaction_multigrid.schedule import BaseTraining, Settings, Shape

BASE = BaseTraining(16, 48, 60, (20, 40))


def probe(shape, seconds=1., feature_size=6):
    return plan.Probe(shape, shape.batch_factor, seconds=seconds, feature_size=feature_size)


def test_stride():
    assert total_stride(probe(BASE.shape)) == 8
    assert total_stride(probe(BASE.shape, feature_size=None)) is None  # a head that sees tokens


def test_crops_to_measure():
    """Of 24, 34 and 48 pixels one is no multiple of 8; none is where crops come in such multiples."""
    assert rounded_shapes(MultigridSchedule(BASE), 8) == {Shape(2, 16, 34): Shape(2, 16, 32)}
    assert rounded_shapes(MultigridSchedule(BASE, Settings(crop_multiple=8)), 8) == {}
    odd = BaseTraining(16, 50, 60, (20, 40))  # the base crop is left as it is
    assert set(rounded_shapes(MultigridSchedule(odd), 8)) == {Shape(4, 16, 25), Shape(2, 16, 35)}


@pytest.mark.parametrize(('seconds', 'found'), [(1.5, 1), (1.2, 0)])
def test_advice(seconds, found):
    """Two clips of 34 pixels have 1.129 as many as two of 32: 1.5 s to 1 s are 1.33 a pixel, 1.2 s 1.06."""
    pairs = {Shape(2, 16, 34): Shape(2, 16, 32)}
    lines = rounding_advice(8, pairs, [probe(Shape(2, 16, 34), seconds), probe(Shape(2, 16, 32))])
    assert lines == ["advice: crops of 34 pixels take 1.33 times as long a pixel as those of 32, a multiple of the "
                     "network's stride: multigrid.crop_multiple = 8"][:found]
