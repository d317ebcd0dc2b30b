"""Which cap on the batch, and how many epochs: what each would cost and leave."""

from dataclasses import replace
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..schedule import MultigridSchedule, Shape, auto_settings, count_updates
from ..schedule.updates import CAPS
from .forecast import Forecast, count_evaluations, step_seconds
from .probe import Probe, schedule_shapes

MUCH = 0.1  # of the time, for validation
MANY = 10**4  # epochs, of which no stage is rounded away
EPOCH_FACTORS = [n / 20 for n in range(80, 1, -1)]  # 4 down to 0.1


class Choice(NamedTuple):
    """A schedule that a user could take.

    Attributes:
        schedule (MultigridSchedule): The schedule.
        updates (int): That it makes.
        forecast (Forecast): What it takes.
    """
    schedule: MultigridSchedule
    updates: int
    forecast: Forecast


def with_settings(schedule: MultigridSchedule, **changed) -> MultigridSchedule:
    """The schedule of the same base training with other settings."""
    return MultigridSchedule(schedule.base, replace(schedule.settings, **changed))


def without_cap(schedule: MultigridSchedule, short_cycle: Optional[bool] = None) -> MultigridSchedule:
    """The schedule as it is without ``max_batch_factor``, whose ``'auto'`` may have turned the short cycle off."""
    if short_cycle is None:
        short_cycle = schedule.settings.short_cycle
    return with_settings(schedule, max_batch_factor=None, short_cycle=short_cycle)


def shapes_to_probe(schedule: MultigridSchedule,
                    free: Optional[MultigridSchedule] = None) -> List[Shape]:
    """The shapes from whose times :class:`Steps` tells any other's.

    Those of the schedule, and, large and at the base batch, all that a cap or
    more epochs may bring: a short schedule rounds stages away.

    Args:
        schedule: The schedule.
        free: Without a cap. Defaults to the schedule without one.
    """
    free = free or without_cap(schedule)
    if free.settings.stages is None:
        free = with_settings(free, epoch_factor=MANY / free.base.max_epochs)
    whole = schedule_shapes(free)
    wanted = {*schedule_shapes(schedule), *whole,
              *(shape._replace(batch_factor=1) for shape in whole)}
    return sorted(wanted, key=lambda shape: (
        shape.num_frames, shape.crop_size, -shape.batch_factor))


class Steps(Mapping[Shape, float]):
    """Seconds of a step at any batch factor of the shapes that were probed, along a line between the measured ones.

    Args:
        probes: Of a (frames, crop) one or more, with different batch
            factors. Those that failed are left out.
        batch_size: Base batch.
    """

    def __init__(self, probes: Sequence[Probe], batch_size: int) -> None:
        self._points: Dict[Tuple[int, int], Dict[int, float]] = {}
        for (factor, *shape), seconds in step_seconds(
                [probe for probe in probes if probe.error is None],
                batch_size).items():
            self._points.setdefault(tuple(shape), {})[factor] = seconds

    def __getitem__(self, shape: Shape) -> float:
        factor, points = shape.batch_factor, sorted(self._points[tuple(shape[1:])].items())
        if len(points) == 1:
            (measured, seconds), = points
            return seconds * factor / measured
        above = next((i for i in range(1, len(points)) if points[i][0] >= factor), len(points) - 1)
        (low, begin), (high, end) = points[above - 1:above + 1]
        return begin + (end - begin) * (factor - low) / (high - low)

    def __iter__(self):
        return (Shape(factor, *shape) for shape, points in self._points.items() for factor in points)

    def __len__(self) -> int:
        return sum(map(len, self._points.values()))


def measured_shapes(steps: Steps, base: Shape) -> List[Shape]:
    """The (frames, crop) that were measured, each with the batch factor whose step takes as long as the base batch's.

    It is the nearest integer on the line through the measured times; at the base shape 1, and where a larger batch took
    no longer than a small one the largest that was measured.
    """
    found = []
    for frames, crop in sorted({tuple(shape[1:]) for shape in steps}):
        large = max(shape.batch_factor for shape in steps if shape[1:] == (frames, crop))
        factor = large
        if (frames, crop) == base[1:]:
            factor = 1
        elif (slope := steps[Shape(large + 1, frames, crop)] - steps[Shape(large, frames, crop)]) > 0:
            factor = max(1, round(large + (steps[base] - steps[Shape(large, frames, crop)]) / slope))
        found.append(Shape(factor, frames, crop))
    return found


def cap_choices(schedule: MultigridSchedule, batch_size: int, clips: int,
                take: Callable[[MultigridSchedule], Optional[Forecast]]
                ) -> List[Choice]:
    """The schedule under every cap that changes it, without one first, and as ``'auto'`` has it.

    Args:
        schedule: The schedule, without a cap.
        batch_size: Base batch per process.
        clips: Clips of one process.
        take: Makes the forecast of a schedule; None where one of its shapes
            does not work.
    """
    found: Dict[tuple, Choice] = {}
    choices = [with_settings(schedule, max_batch_factor=cap) for cap in CAPS]
    auto = MultigridSchedule(schedule.base, auto_settings(schedule.base, schedule.settings, batch_size, clips))
    for choice in [*choices, auto]:
        if choice.stages not in found and (taken := take(choice)):
            updates = count_updates(choice, batch_size, clips)
            found[choice.stages] = Choice(choice, updates, taken)
    return list(found.values())


def fit_hours(schedule: MultigridSchedule, batch_size: int, clips: int, hours: float,
              take: Callable[[MultigridSchedule], Optional[Forecast]]
              ) -> Optional[Choice]:
    """The longest schedule that fits into a budget, under the cap that ``'auto'`` sets; None: none does.

    The arguments are those of :func:`cap_choices`, and ``hours``, the budget.
    """
    settings = schedule.settings
    for factor in EPOCH_FACTORS if settings.stages is None else [settings.epoch_factor]:  # stages set their own lengths
        try:
            choice = MultigridSchedule(schedule.base, auto_settings(
                schedule.base, replace(settings, epoch_factor=factor), batch_size, clips))
        except ValueError:  # no epoch is left
            return None
        if (found := take(choice)) and found.hours <= hours:
            return Choice(choice, count_updates(choice, batch_size, clips), found)
    return None


def validation_advice(schedule: MultigridSchedule, found: Forecast) -> List[str]:
    """A line where validations take much of the time and there are more of them than one a stage."""
    share, count, fewest = found.ours.validation / found.hours, count_evaluations(schedule), len(schedule.stages)
    if share <= MUCH or count == fewest:
        return []
    return [f'advice: {count} validations take {100 * share:.0f} % of the time: multigrid.eval_freq = 1 makes {fewest}']
