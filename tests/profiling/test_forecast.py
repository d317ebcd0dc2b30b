"""Where the time of a run goes, by hand."""

import math

import pytest
from mmaction_multigrid import MultigridSchedule
from mmaction_multigrid.config.auto import make_schedule
from mmaction_multigrid.config.settings import Settings
from mmaction_multigrid.core.settings import BaseTraining
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.profiling import MeasuredTimes, StepProfile
from mmaction_multigrid.profiling.forecast import (compare_caps, fit_hours,
                                                   forecast, shapes_to_profile,
                                                   worker_rows)

COARSE, BASE = Shape(4, 4, 8), Shape(1, 8, 16)
STAGES = [
    dict(epochs=2, batch_factor=4, num_frames=4, crop_size=8),
    dict(epochs=1)
]
STEPS = [
    StepProfile(COARSE, 8, seconds=2., loss=1.),
    StepProfile(BASE, 2, seconds=1., loss=1.)
]
LOADS = {None: 0.4, COARSE[1:]: 0.5, BASE[1:]: 0.75}


def schedule(**settings):
    return make_schedule(
        BaseTraining(8, 16, 6),
        Settings.from_dict({
            'eval_freq': 1,
            'precise_bn': 3,
            'stages': STAGES,
            **settings
        }))


def cycles(epochs=60, **settings):
    return MultigridSchedule(
        BaseTraining(8, 16, epochs, (20, 40)), Settings(**settings))


def measured(*schedules, **changed):
    """Times of all shapes, a second for the base batch of two clips."""
    steps = [
        StepProfile(
            shape,
            2 * shape.batch_factor,
            loss=1.,
            seconds=float(shape.batch_factor))
        for shape in shapes_to_profile(*schedules)
    ]
    return MeasuredTimes(steps, 2, 80, **changed)


@pytest.mark.parametrize(
    ('workers', 'waits', 'base_waits', 'precise'),
    [
        # 80 clips in batches of 8 and 2: two epochs of 10 steps of 2 s, one of
        # 40 steps of 1 s. Loading takes 40 s an epoch with coarse clips, 60 s
        # with full ones; 3 + 3 batches of precise BN 9 s, computing 2 s.
        (1, 2 * (40 - 20) + (60 - 40), 0., 9.),
        (3, 0., 0., 3.),
        (0, 2 * 40 + 60, 6 * 32, 2 + 9.),
    ])
def test_parts(workers, waits, base_waits, precise):
    found = forecast(schedule(),
                     MeasuredTimes(STEPS, 2, 80, loads=LOADS, workers=workers))
    ours, base = ([round(3600 * hours, 6) for hours in part]
                  for part in zip(*found.parts.values()))
    assert ours == [2 * 10 * 2 + 40, waits, precise]
    assert base == [6 * 40, base_waits, 0]
    assert 3600 * found.hours == pytest.approx(sum(ours))
    assert found.speedup == pytest.approx(sum(base) / sum(ours))
    assert (found.iterations, found.base_iterations) == (60, 240)


@pytest.mark.parametrize(
    ('limit', 'clips', 'processes', 'batches'),
    [
        # 32 clips are 16 batches of 2, and 200 before the last evaluation 100.
        (200, 400, 1, 16 + 100),
        (200, 80, 8, 2 + 13),
        (0, 80, 1, 0),
        (200, 20, 1, 2 * 10),  # never more than there are
    ])
def test_precise_bn_is_bounded(limit, clips, processes, batches):
    found = forecast(
        schedule(precise_bn=limit), MeasuredTimes(STEPS, 2, clips, processes))
    assert found.parts['precise BN'][0] * 3 * 3600 == pytest.approx(batches)


def test_an_unknown_number_of_clips_leaves_the_ratio():
    found = forecast(schedule(), MeasuredTimes(STEPS, 2))
    assert found.speedup == pytest.approx(6 / (2 / 4 * 2 + 1), rel=1e-4)


def test_workers_that_keep_up():
    # Coarse: 8 clips a step of 2 s, loaded in 4 s; full: 2 clips a second,
    # loaded in 1.5 s.
    assert worker_rows(schedule(), MeasuredTimes(STEPS, 2, loads=LOADS)) == [
        ('base', 2., 2.5, 1), ('1-2', 4., 2., 2),
        ('3-3', 2., pytest.approx(1 / 0.75), 2)
    ]


def test_steps_at_other_batches():
    """Along the line between what was measured."""
    times = MeasuredTimes([
        StepProfile(Shape(8, 4, 8), 16, seconds=9., loss=1.),
        StepProfile(Shape(1, 4, 8), 2, seconds=2., loss=1.), *STEPS[1:],
        StepProfile(Shape(1, 2, 8), 2, error='RuntimeError: no')
    ], 2)
    assert [times.step(Shape(n, 4, 8)) for n in (1, 4, 8)] == [2., 5., 9.]
    assert times._replace(batch_size=4, views=2).step(BASE) == 4.
    assert math.isnan(times.step(Shape(1, 2, 8)))


@pytest.mark.parametrize('epochs', [3, 5, 8, 60])
def test_choices(epochs):
    """All were measured, also stages that this length rounds away."""
    made = cycles(epochs, max_batch_factor=1, short_cycle=False)  # as 'auto'
    free = cycles(epochs)
    times = measured(made, free)
    caps = compare_caps(free, times)
    assert list(caps) == [
        'None', '8', '4', '2', '1', "'auto': 1, short_cycle = False"
    ]
    updates = [found.iterations for found in caps.values()]
    assert updates == sorted(updates) and updates[0] < updates[-1]
    broken = times._replace(profiles=[])
    assert not compare_caps(free, broken) and not fit_hours(free, broken, 1e9)


def test_a_budget():
    ours = cycles()
    times = measured(ours, ours)
    whole = forecast(ours, times).hours
    for hours, factors in ((whole / 2, [0.1, 1.45]), (3 * whole, [1.55, 4.])):
        (name, found), = fit_hours(ours, times, hours).items()
        assert name.startswith(f'in {hours:g} h: epoch_factor = ')
        assert found.hours <= hours
        low, high = factors
        assert low <= found.schedule.settings.epoch_factor <= high
    assert fit_hours(ours, times, 1e-9) == {}


def test_a_budget_for_stages_that_set_their_own_lengths():
    ours = schedule()
    times = measured(ours, ours)
    whole = forecast(ours, times).hours
    assert len(fit_hours(ours, times, 3 * whole)) == 1
    assert fit_hours(ours, times, whole / 9) == {}
