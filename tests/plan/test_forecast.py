"""Where the time of a run goes, by hand."""

import pytest

from mmaction_multigrid import MultigridSchedule, plan
from mmaction_multigrid.plan.advice import (
    Steps,
    cap_choices,
    fit_hours,
    measured_shapes,
    shapes_to_probe,
    validation_advice,
    without_cap,
)
from mmaction_multigrid.schedule import BaseTraining, Settings, Shape

COARSE, BASE = Shape(4, 4, 8), Shape(1, 8, 16)
STAGES = [dict(epochs=2, batch_factor=4, num_frames=4, crop_size=8), dict(epochs=1)]


def schedule(**settings):
    return MultigridSchedule(BaseTraining(8, 16, 6), Settings.from_dict(dict(
        dict(eval_freq=1, precise_bn=3, stages=STAGES), **settings)))


def hours(found):
    return [round(3600 * value, 6) for value in found]


STEPS = {COARSE: 2., BASE: 1.}
LOADS = {None: 0.4, COARSE[1:]: 0.5, BASE[1:]: 0.75}


@pytest.mark.parametrize(('workers', 'waits', 'base_waits', 'precise'), [
    # 80 clips in batches of 8 and 2: two epochs of 10 steps of 2 s, one of 40 steps of 1 s.
    # Loading takes 40 s an epoch with coarse clips, 60 s with full ones; 3 + 3 batches of precise BN 9 s.
    (1, 2 * (40 - 20) + (60 - 40), 0., 9.),
    (2, 0., 0., 4.5),
    (0, 2 * 40 + 60, 6 * 32, 6 * 0.5 + 9.),
])
def test_parts_by_hand(workers, waits, base_waits, precise):
    costs = plan.Costs(STEPS, forward=0.5, loads=LOADS, workers=workers, evaluation=7., checkpoint=3.)
    found = plan.forecast(schedule(), costs, 2, 80, base_evaluations=5, base_checkpoints=4)
    # An evaluation, and a checkpoint, at the end of each stage.
    assert hours(found.ours) == [2 * 10 * 2 + 40, waits, precise, 14, 6]
    assert hours(found.base) == [6 * 40, base_waits, 0, 35, 12]
    assert found.hours == pytest.approx(sum(found.ours))
    assert found.speedup == pytest.approx(found.base_hours / found.hours)


@pytest.mark.parametrize(('freq', 'seconds', 'lines'), [
    # 80 s of training; stages of two epochs and one, so that two a stage are three.
    (2, 10., ['advice: 3 validations take 27 % of the time: multigrid.eval_freq = 1 makes 2']),
    (2, 2.9, []),
    (1, 100., []),
])
def test_advice_where_validation_is_much_of_the_time(freq, seconds, lines):
    schedule_of_two = schedule(eval_freq=freq, precise_bn=0)
    found = plan.forecast(schedule_of_two, plan.Costs(STEPS, evaluation=seconds), 2, 80)
    assert validation_advice(schedule_of_two, found) == lines


def test_receiving_is_base_training_s_least_wait():
    costs = plan.Costs(STEPS, loads=LOADS, receiving=0.01)
    assert hours(plan.forecast(schedule(precise_bn=0), costs, 2, 80).base)[:2] == [240, 4.8]
    assert hours(plan.forecast(schedule(precise_bn=0), costs._replace(workers=0), 2, 80).base)[:2] == [240, 6 * 32]


def test_precise_bn_is_bounded():
    """32 clips are 16 batches of 2, and 200 before the last evaluation 100: never more than there are."""
    costs = plan.Costs(STEPS, forward=1.)
    assert hours(plan.forecast(schedule(precise_bn=200), costs, 2, 400).ours)[2] == 16 + 100
    assert hours(plan.forecast(schedule(precise_bn=200), costs, 2, 80, processes=8).ours)[2] == 2 + 13
    assert hours(plan.forecast(schedule(precise_bn=200), costs, 2, 20).ours)[2] == 2 * 10
    assert hours(plan.forecast(schedule(precise_bn=0), costs, 2, 80).ours)[2] == 0


def test_an_unknown_number_of_clips_leaves_the_ratio():
    costs = plan.Costs(STEPS, evaluation=100.)
    assert plan.forecast(schedule(), costs, 2).speedup == pytest.approx(6 / (2 / 4 * 2 + 1), rel=1e-4)


def test_workers_that_keep_up():
    # Coarse: 8 clips a step of 2 s, loaded in 4 s; full: 2 clips a second, loaded in 1.5 s.
    assert plan.worker_rows(schedule(), plan.Costs(STEPS, loads=LOADS), 2) == [
        ('base', 2., 2.5, 1), ('1-2', 4., 2., 2), ('3-3', 2., pytest.approx(1 / 0.75), 2)]


def test_steps_at_other_batches():
    """Along the line between what was measured, and beyond."""
    probes = [plan.Probe(Shape(8, 4, 8), 16, seconds=9.), plan.Probe(Shape(1, 4, 8), 2, seconds=2.),
              plan.Probe(BASE, 2, seconds=1.)]
    steps = Steps(probes, 2)
    assert [steps[Shape(factor, 4, 8)] for factor in (1, 4, 8, 16)] == [2., 5., 9., 17.]
    assert steps[BASE] == 1.
    assert dict(steps.items()) == {Shape(8, 4, 8): 9., Shape(1, 4, 8): 2., BASE: 1.}


def test_shapes_to_probe():
    found = shapes_to_probe(schedule(max_batch_factor=2))
    assert found == [Shape(4, 4, 8), Shape(2, 4, 8), Shape(1, 4, 8), BASE]


def take(other):
    steps = {shape: float(shape.batch_factor) for stage in other.stages for shape in stage.shapes}
    return plan.forecast(other, plan.Costs({**steps, BASE: 1.}), 2, 80)


def test_caps_that_change_something():
    choices = cap_choices(without_cap(schedule(max_batch_factor=1)), 2, 80, take)
    assert [(choice.schedule.settings.max_batch_factor, choice.updates) for choice in choices] == [
        (None, 2 * 10 + 40), (2, 2 * 20 + 40), (1, 3 * 40)]


def test_the_row_of_auto_beside_those_of_the_caps():
    """A cap of 1 without the short cycle; from a config that 'auto' made, too."""
    settings = Settings(max_batch_factor=1, short_cycle=False)
    made = MultigridSchedule(BaseTraining(8, 16, 60, (20, 40)), settings)
    choices = cap_choices(without_cap(made, True), 2, 80, take)
    found = [(choice.schedule.settings.max_batch_factor, choice.schedule.settings.short_cycle) for choice in choices]
    assert found == [(None, True), (8, True), (4, True), (2, True), (1, True), (1, False)]
    assert choices[-1].schedule.stages == made.stages
    free = shapes_to_probe(made, without_cap(made, True))
    assert {shape[1:] for shape in free} > {shape[1:] for shape in shapes_to_probe(made)}


def test_a_budget():
    ours = MultigridSchedule(BaseTraining(8, 16, 60, (20, 40)), Settings())
    whole = take(ours).hours
    half, = {fit_hours(ours, 2, 80, whole / 2, take)}
    assert half.forecast.hours <= whole / 2
    assert half.schedule.settings.epoch_factor < 1.5
    longer = fit_hours(ours, 2, 80, 3 * whole, take)
    assert longer.schedule.settings.epoch_factor > 1.5
    assert fit_hours(ours, 2, 80, 1e-9, take) is None


@pytest.mark.parametrize('epochs', [3, 5, 8])
def test_what_is_asked_for_was_measured(epochs):
    """Caps and other lengths have stages that this one rounds away."""
    ours = MultigridSchedule(BaseTraining(8, 64, epochs), Settings())
    measured = shapes_to_probe(ours)
    probes = [plan.Probe(shape, shape.batch_factor, seconds=1.)
              for shape in measured]
    costs = plan.Costs(Steps(probes, 1))
    asked = []

    def take(other):
        asked.append(other)
        return plan.forecast(other, costs, 2, 80)

    assert cap_choices(ours, 2, 80, take)
    assert fit_hours(ours, 2, 80, 1e9, take)
    fit_hours(ours, 2, 80, 1e-9, take)
    shapes = {shape[1:] for other in asked for stage in other.stages
              for shape in stage.shapes}
    assert shapes == {shape[1:] for shape in measured}


def test_a_choice_whose_shape_fails_is_left_out():
    ours = MultigridSchedule(BaseTraining(8, 16, 60, (20, 40)), Settings())

    def take_caps(other):
        return take(other) if other.settings.max_batch_factor else None

    choices = cap_choices(ours, 2, 80, take_caps)
    assert [choice.schedule.settings.max_batch_factor
            for choice in choices] == [8, 4, 2, 1, 1]
    assert fit_hours(ours, 2, 80, 1e9, lambda other: None) is None


def test_a_budget_for_stages_that_set_their_own_lengths():
    ours = schedule()
    whole = take(ours).hours
    assert fit_hours(ours, 2, 80, 3 * whole, take).schedule.settings.epoch_factor == ours.settings.epoch_factor
    assert fit_hours(ours, 2, 80, whole / 9, take) is None


def test_batches_that_take_as_long_as_the_base_batch():
    """By hand: 16 clips take 1.3 s and one 0.1 s, 0.08 s a clip: (1 - 0.1) / 0.08 + 1 = 12.25."""
    probes = [plan.Probe(BASE, 1, seconds=1.), plan.Probe(Shape(16, 2, 8), 16, seconds=1.3),
              plan.Probe(Shape(1, 2, 8), 1, seconds=0.1), plan.Probe(Shape(4, 8, 8), 4, seconds=1.),
              plan.Probe(Shape(1, 8, 8), 1, seconds=1.01)]  # noise: four clips take no longer than one
    assert measured_shapes(Steps(probes, 1), BASE) == [Shape(12, 2, 8), Shape(4, 8, 8), BASE]
    slow = [plan.Probe(BASE, 1, seconds=1.), plan.Probe(Shape(2, 4, 8), 2, seconds=9.)]
    assert measured_shapes(Steps(slow, 1), BASE)[0] == Shape(1, 4, 8)
