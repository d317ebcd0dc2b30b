"""Take batch factors from a list."""

import pytest
from mmaction_multigrid.config.auto import make_schedule
from mmaction_multigrid.config.settings import Settings
from mmaction_multigrid.core.settings import BaseTraining
from mmaction_multigrid.core.shapes import Shape

BASE = BaseTraining(8, 16, 60, (20, 40))
# All that the default schedule has; by cost: 16, 8, 8, 4, 2, 4, 2, 1.
LISTED = ((2, 8, 12), (2, 11, 7), (4, 8, 9), (4, 11, 5), (4, 16, 2), (8, 8, 6),
          (8, 11, 3), (8, 16, 1))


def shapes(**settings):
    return {
        shape
        for stage in make_schedule(BASE, Settings.from_dict(settings)).stages
        for shape in stage.shapes
    }


def test_batches_equal_the_list():
    assert shapes(batch_factors=LISTED) == {
        Shape(factor, frames, crop)
        for frames, crop, factor in LISTED
    }
    assert (shapes(batch_factors=LISTED, max_batch_factor=4) == {
        Shape(min(factor, 4), frames, crop)
        for frames, crop, factor in LISTED
    })


def test_lr_and_length_of_stages_follow():
    """Epochs follow the mean batch factor, and the lr the stage's own."""
    ours = make_schedule(BASE, Settings.from_dict(dict(batch_factors=LISTED)))
    first = ours.stages[:4]
    assert ([stage.average_batch_factor
             for stage in first] == [26 / 3, 19 / 3, 16 / 3, 10 / 3])
    assert [factor for _, factor in ours.lr_factors[:4]] == [7, 5, 2, 1]
    share = [stage.epochs / first[0].epochs for stage in first]
    assert share == pytest.approx([1, 19 / 26, 16 / 26, 10 / 26],
                                  abs=1 / first[0].epochs)


def test_shapes_missing_in_the_list():
    with pytest.raises(
            ValueError,
            match='multigrid.batch_factors: 2 frames x 11 '
            'pixels are missing beside 8 x 16; '):
        shapes(batch_factors=((8, 16, 1), ))
