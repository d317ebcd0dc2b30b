"""Where the time of a run goes, by hand."""

import pytest

from mmaction_multigrid import MultigridSchedule, profiling
from mmaction_multigrid.profiling.advice import (
    cap_choices,
    fit_hours,
    shapes_to_probe,
    with_settings,
)
from mmaction_multigrid.schedule import BaseTraining, Settings, Shape

COARSE, BASE = Shape(4, 4, 8), Shape(1, 8, 16)
STAGES = [dict(epochs=2, batch_factor=4, num_frames=4, crop_size=8),
          dict(epochs=1)]
STEPS = {COARSE: 2., BASE: 1.}
LOADS = {None: 0.4, COARSE[1:]: 0.5, BASE[1:]: 0.75}


def schedule(**settings):
    return MultigridSchedule(BaseTraining(8, 16, 6), Settings.from_dict({
        'eval_freq': 1, 'precise_bn': 3, 'stages': STAGES, **settings}))


def cycles(epochs=60, **settings):
    return MultigridSchedule(BaseTraining(8, 16, epochs, (20, 40)),
                             Settings(**settings))


def seconds(hours):
    return [round(3600 * value, 6) for value in hours]


@pytest.mark.parametrize(('workers', 'waits', 'base_waits', 'precise'), [
    # 80 clips in batches of 8 and 2: two epochs of 10 steps of 2 s, one of 40
    # steps of 1 s. Loading takes 40 s an epoch with coarse clips, 60 s with
    # full ones; 3 + 3 batches of precise BN 9 s.
    (1, 2 * (40 - 20) + (60 - 40), 0., 9.),
    (2, 0., 0., 4.5),
    (0, 2 * 40 + 60, 6 * 32, 6 * 0.5 + 9.),
])
def test_parts(workers, waits, base_waits, precise):
    costs = profiling.Costs(STEPS, forward=0.5, loads=LOADS, workers=workers,
                       evaluation=7.)
    found = profiling.forecast(schedule(), costs, 2, 80, base_evaluations=5)
    # An evaluation at the end of each stage.
    assert seconds(found.ours) == [2 * 10 * 2 + 40, waits, precise, 14]
    assert seconds(found.base) == [6 * 40, base_waits, 0, 35]
    assert found.hours == pytest.approx(sum(found.ours))
    assert found.speedup == pytest.approx(found.base_hours / found.hours)


@pytest.mark.parametrize(('limit', 'clips', 'processes', 'batches'), [
    # 32 clips are 16 batches of 2, and 200 before the last evaluation 100.
    (200, 400, 1, 16 + 100), (200, 80, 8, 2 + 13), (0, 80, 1, 0),
    (200, 20, 1, 2 * 10),  # never more than there are
])
def test_precise_bn_is_bounded(limit, clips, processes, batches):
    found = profiling.forecast(schedule(precise_bn=limit),
                          profiling.Costs(STEPS, forward=1.), 2, clips, processes)
    assert seconds(found.ours)[2] == batches


def test_an_unknown_number_of_clips_leaves_the_ratio():
    found = profiling.forecast(schedule(), profiling.Costs(STEPS, evaluation=100.), 2)
    assert found.speedup == pytest.approx(6 / (2 / 4 * 2 + 1), rel=1e-4)


def test_workers_that_keep_up():
    # Coarse: 8 clips a step of 2 s, loaded in 4 s; full: 2 clips a second,
    # loaded in 1.5 s.
    costs = profiling.Costs(STEPS, loads=LOADS)
    assert profiling.worker_rows(schedule(), costs, 2) == [
        ('base', 2., 2.5, 1), ('1-2', 4., 2., 2),
        ('3-3', 2., pytest.approx(1 / 0.75), 2)]


def test_steps_at_other_batches():
    """Along the line between what was measured, and beyond."""
    steps = profiling.StepTimes([
        profiling.Probe(Shape(8, 4, 8), 16, seconds=9.),
        profiling.Probe(Shape(1, 4, 8), 2, seconds=2.),
        profiling.Probe(BASE, 2, seconds=1.),
        profiling.Probe(Shape(1, 2, 8), 2, error='RuntimeError: no')], 2)
    found = [steps[Shape(factor, 4, 8)] for factor in (1, 4, 8, 16)]
    assert found == [2., 5., 9., 17.]
    assert [steps[BASE], steps[BASE._replace(batch_factor=3)]] == [1., 3.]
    with pytest.raises(KeyError):
        steps[Shape(1, 2, 8)]
    assert profiling.StepTimes([profiling.Probe(BASE, 2, seconds=1.)], 8)[BASE] == 4.


def take(other):
    steps = {shape: float(shape.batch_factor) for stage in other.stages
             for shape in stage.shapes}
    return profiling.forecast(other, profiling.Costs({**steps, BASE: 1.}), 2, 80)


def settings_of(choices):
    return [(choice.schedule.settings.max_batch_factor,
             choice.schedule.settings.short_cycle) for choice in choices]


def test_caps_that_change_something():
    choices = cap_choices(schedule(), 2, 80, take)
    assert [(choice.schedule.settings.max_batch_factor, choice.updates)
            for choice in choices] == [
        (None, 2 * 10 + 40), (2, 2 * 20 + 40), (1, 3 * 40)]


def test_the_row_of_auto_beside_those_of_the_caps():
    """A cap of 1 without the short cycle; a choice that fails is left out."""
    found = settings_of(cap_choices(cycles(), 2, 80, take))
    assert found == [(None, True), (8, True), (4, True), (2, True), (1, True),
                     (1, False)]
    assert settings_of(cap_choices(cycles(), 2, 80, lambda other: (
        other.settings.max_batch_factor and take(other)))) == found[1:]


@pytest.mark.parametrize('epochs', [3, 5, 8])
def test_what_is_asked_for_was_measured(epochs):
    """Caps and other lengths have stages that this one rounds away."""
    made = cycles(epochs, max_batch_factor=1, short_cycle=False)  # as 'auto'
    free = with_settings(made, max_batch_factor=None, short_cycle=True)
    shapes = shapes_to_probe(made, free)
    assert set(profiling.schedule_shapes(made)) <= set(shapes)
    probes = [profiling.Probe(shape, shape.batch_factor, seconds=1.)
              for shape in shapes]
    costs = profiling.Costs(profiling.StepTimes(probes, 1))

    def take(other):
        return profiling.forecast(other, costs, 2, 80)

    assert len(cap_choices(free, 2, 80, take)) > 1
    assert fit_hours(free, 2, 80, 1e9, take)
    assert fit_hours(free, 2, 80, 1e-9, take) is None


def test_a_budget():
    ours = cycles()
    whole = take(ours).hours
    half = fit_hours(ours, 2, 80, whole / 2, take)
    assert half.forecast.hours <= whole / 2
    assert half.schedule.settings.epoch_factor < 1.5
    longer = fit_hours(ours, 2, 80, 3 * whole, take)
    assert longer.schedule.settings.epoch_factor > 1.5
    assert fit_hours(ours, 2, 80, 1e-9, take) is None
    assert fit_hours(ours, 2, 80, 1e9, lambda other: None) is None


def test_a_budget_for_stages_that_set_their_own_lengths():
    ours = schedule()
    whole = take(ours).hours
    assert fit_hours(ours, 2, 80, 3 * whole, take).schedule.stages
    assert fit_hours(ours, 2, 80, whole / 9, take) is None
