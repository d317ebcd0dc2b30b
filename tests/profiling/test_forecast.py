"""Compare forecasts with numbers by hand."""

import pytest
from mmaction_multigrid.config.auto import make_schedule
from mmaction_multigrid.config.settings import Settings
from mmaction_multigrid.core.settings import BaseTraining
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.profiling.forecast import (MeasuredTimes, forecast,
                                                   workers_needed)

COARSE, BASE = Shape(4, 4, 8), Shape(1, 8, 16)
STAGES = [
    dict(epochs=2, batch_factor=4, num_frames=4, crop_size=8),
    dict(epochs=1)
]
SCHEDULE = make_schedule(
    BaseTraining(8, 16, 6), Settings.from_dict(dict(stages=STAGES)))
TIMES = MeasuredTimes({COARSE: 2., BASE: 1.}, 2)
LOADS = {COARSE[1:]: 0.5, BASE[1:]: 0.75}


def test_both_times():
    # 80 clips in batches of 8 and 2: two epochs of 10 steps of 2 s, one of 40
    # steps of 1 s.
    assert forecast(SCHEDULE,
                    TIMES._replace(clips=80)) == (2 * 10 * 2 + 40, 6 * 40)


def test_the_ratio_without_a_number_of_clips():
    ours, base = forecast(SCHEDULE, TIMES)
    assert base / ours == pytest.approx(6 / (2 / 4 * 2 + 1), rel=1e-4)


def test_the_number_of_workers_needed():
    # Coarse: 8 clips a step of 2 s, loaded in 4 s; full: 2 clips a second,
    # loaded in 1.5 s.
    times = TIMES._replace(loads=LOADS)
    assert workers_needed(SCHEDULE, times) == 2
    assert workers_needed(SCHEDULE, times._replace(loads={})) == 0
    assert workers_needed(SCHEDULE, times._replace(steps={
        COARSE: 1.,
        BASE: 1.
    })) == 4
