"""Compare forecasts with numbers by hand."""

import pytest
from mmaction_multigrid.config.auto import make_schedule
from mmaction_multigrid.config.settings import Settings
from mmaction_multigrid.core.settings import BaseTraining
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.profiling import MeasuredTimes, forecast
from mmaction_multigrid.profiling.forecast import workers_needed

COARSE, BASE = Shape(4, 4, 8), Shape(1, 8, 16)
STAGES = [
    dict(epochs=2, batch_factor=4, num_frames=4, crop_size=8),
    dict(epochs=1)
]
SCHEDULE = make_schedule(
    BaseTraining(8, 16, 6), Settings.from_dict(dict(stages=STAGES)))
TIMES = MeasuredTimes({COARSE: 2., BASE: 1.}, 2)
LOADS = {None: 0.4, COARSE[1:]: 0.5, BASE[1:]: 0.75}


@pytest.mark.parametrize(
    ('workers', 'waits', 'base_waits'),
    [
        # 80 clips in batches of 8 and 2: two epochs of 10 steps of 2 s, one of
        # 40 steps of 1 s. Loading takes 40 s an epoch with coarse clips, 60 s
        # with full ones.
        (1, 2 * (40 - 20) + (60 - 40), 0.),
        (3, 0., 0.),
        (0, 2 * 40 + 60, 6 * 32),
    ])
def test_parts(workers, waits, base_waits):
    found = forecast(SCHEDULE,
                     TIMES._replace(clips=80, loads=LOADS, workers=workers))
    assert found == {
        'training': (2 * 10 * 2 + 40, 6 * 40),
        'waiting for data': pytest.approx((waits, base_waits)),
        'total': pytest.approx((80 + waits, 240 + base_waits))
    }


def test_the_ratio_without_a_number_of_clips():
    ours, base = forecast(SCHEDULE, TIMES)['total']
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
