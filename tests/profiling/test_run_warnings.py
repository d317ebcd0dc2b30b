"""What speaks against a schedule, to the number."""

import pytest
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.profiling.run_warnings import (crop_warning,
                                                       data_warnings,
                                                       frames_warning)

SHAPES = [Shape(16, 2, 8), Shape(1, 8, 16)]


@pytest.mark.parametrize(('clips', 'warns'), [(320, False), (319, True)])
def test_a_batch_of_more_than_a_tenth(clips, warns):
    """The largest batch has 16 x 2 clips."""
    found = data_warnings(
        SHAPES, 2, clips, iterations=5000, base_iterations=5000)
    assert found == ([
        'the largest batch of all processes, 32 clips, is more than a '
        'tenth of the dataset (319 clips)'
    ] if warns else [])


@pytest.mark.parametrize(('updates', 'base', 'enough'), [
    (2000, 9000, None),
    (1999, 9000, 2000),
    (500, 500, None),
    (499, 500, 500),
])
def test_too_few_updates(updates, base, enough):
    found = data_warnings(SHAPES, 2, 10**6, updates, base)
    if enough is None:
        assert found == []
    else:
        assert found == [
            f'the schedule has {updates} iterations, base training '
            f'{base}: with fewer than {enough} accuracy '
            "is often lost; multigrid.max_batch_factor = 'auto' "
            'keeps as many, in smaller batches'
        ]


def test_what_no_cap_cures():
    text, = (
        data_warnings([Shape(1, 2, 8)], 2, 10, iterations=5,
                      base_iterations=9))
    assert text.endswith('train more epochs')


@pytest.mark.parametrize(('positions', 'warns'), [(None, False), (3, False),
                                                  (2, True)])
def test_a_crop_smaller_than_the_stride_survives(positions, warns):
    assert len(crop_warning(8, positions)) == warns
    assert all('a crop of 8 pixels leaves the head 2 x 2 positions' in text
               for text in crop_warning(8, positions))


def test_clips_shorter_than_a_convolution():
    assert frames_warning(5, 5) == []
    assert frames_warning(1, 3)[0].startswith('clips of 1 frame are shorter')
