"""Which cap on the batch, and how many epochs: what each would cost and leave."""

from dataclasses import replace
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..schedule import MultigridSchedule, Shape, auto_cap, count_updates
from ..schedule.updates import CAPS
from .forecast import Forecast, step_seconds
from .probe import Probe, schedule_shapes

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


def shapes_to_probe(schedule: MultigridSchedule) -> List[Shape]:
    """The schedule's shapes, and those from whose times :class:`Steps` tells a step's at any other batch: without a cap,
    and at the base batch."""
    whole = schedule_shapes(with_settings(schedule, max_batch_factor=None))
    wanted = {*schedule_shapes(schedule), *whole, *(shape._replace(batch_factor=1) for shape in whole)}
    return sorted(wanted, key=lambda shape: (shape.num_frames, shape.crop_size, -shape.batch_factor))


class Steps(Mapping[Shape, float]):
    """Seconds of a step at any batch factor of the shapes that were probed, along a line between the measured ones.

    Args:
        probes: Of every (frames, crop) one or more, with different batch factors.
        batch_size: Base batch.
    """

    def __init__(self, probes: Sequence[Probe], batch_size: int) -> None:
        self._points: Dict[Tuple[int, int], Dict[int, float]] = {}
        for (factor, *shape), seconds in step_seconds(probes, batch_size).items():
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


def cap_choices(schedule: MultigridSchedule, batch_size: int, clips: int,
                take: Callable[[MultigridSchedule], Forecast]) -> List[Choice]:
    """The schedule under every cap that changes it, without one first.

    Args:
        schedule: The schedule; its own cap plays no role.
        batch_size: Base batch per process.
        clips: Clips of one process.
        take: Makes the forecast of a schedule.
    """
    found: Dict[tuple, Choice] = {}
    for cap in CAPS:
        choice = with_settings(schedule, max_batch_factor=cap)
        found.setdefault(choice.stages, Choice(choice, count_updates(choice, batch_size, clips), take(choice)))
    return list(found.values())


def fit_hours(schedule: MultigridSchedule, batch_size: int, clips: int, hours: float,
              take: Callable[[MultigridSchedule], Forecast]) -> Optional[Choice]:
    """The longest schedule that fits into a budget, under the cap that ``'auto'`` sets; None: none does.

    The arguments are those of :func:`cap_choices`, and ``hours``, the budget.
    """
    settings = schedule.settings
    for factor in EPOCH_FACTORS if settings.stages is None else [settings.epoch_factor]:  # stages set their own lengths
        try:
            cap = auto_cap(schedule.base, replace(settings, epoch_factor=factor), batch_size, clips)
            choice = with_settings(schedule, epoch_factor=factor, max_batch_factor=cap)
        except ValueError:  # no epoch is left
            return None
        if (found := take(choice)).hours <= hours:
            return Choice(choice, count_updates(choice, batch_size, clips), found)
    return None
