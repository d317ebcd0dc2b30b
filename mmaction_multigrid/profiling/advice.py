"""What a cap on the batch, and a budget of hours, make of a schedule."""

from dataclasses import replace
from typing import Callable, Dict, List, NamedTuple, Optional

from ..schedule import MultigridSchedule, Shape, auto_settings, count_updates
from ..schedule.updates import CAPS
from .forecast import Forecast
from .probe import coarse_to_fine, schedule_shapes

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


Take = Callable[[MultigridSchedule], Optional[Forecast]]


def with_settings(schedule: MultigridSchedule, **changed) -> MultigridSchedule:
    """The schedule of the same base training with other settings."""
    return MultigridSchedule(schedule.base,
                             replace(schedule.settings, **changed))


def shapes_to_probe(schedule: MultigridSchedule,
                    free: MultigridSchedule) -> List[Shape]:
    """The shapes from whose steps the time of any other choice follows.

    Those of the schedule, and, large and at the base batch, all that a cap or
    more epochs may bring: a short schedule rounds stages away.

    Args:
        schedule: The schedule.
        free: The same without a cap.
    """
    if free.settings.stages is None:
        free = with_settings(free, epoch_factor=MANY / free.base.max_epochs)
    whole = schedule_shapes(free)
    return coarse_to_fine([
        *schedule_shapes(schedule), *whole,
        *(shape._replace(batch_factor=1) for shape in whole)])


def cap_choices(free: MultigridSchedule, batch_size: int, clips: int,
                take: Take) -> List[Choice]:
    """The schedule under every cap that changes it, and as by ``'auto'``.

    Args:
        free: The schedule, without a cap; it comes first.
        batch_size: Base batch per process.
        clips: Clips of one process.
        take: Makes the forecast of a schedule; None where one of its shapes
            does not work.
    """
    found: Dict[tuple, Choice] = {}
    auto = auto_settings(free.base, free.settings, batch_size, clips)
    for choice in [*(with_settings(free, max_batch_factor=cap)
                     for cap in CAPS), MultigridSchedule(free.base, auto)]:
        if choice.stages not in found and (taken := take(choice)):
            found[choice.stages] = Choice(
                choice, count_updates(choice, batch_size, clips), taken)
    return list(found.values())


def fit_hours(free: MultigridSchedule, batch_size: int, clips: int,
              hours: float, take: Take) -> Optional[Choice]:
    """The longest schedule that fits into a budget; None: none does.

    Its cap is that of ``'auto'``. The arguments are those of
    :func:`cap_choices`, and ``hours``, the budget.
    """
    settings = free.settings
    factors = EPOCH_FACTORS
    if settings.stages is not None:  # which set their own lengths
        factors = [settings.epoch_factor]
    for factor in factors:
        try:
            choice = MultigridSchedule(free.base, auto_settings(
                free.base, replace(settings, epoch_factor=factor), batch_size,
                clips))
        except ValueError:  # no epoch is left
            return None
        if (taken := take(choice)) and taken.hours <= hours:
            return Choice(choice, count_updates(choice, batch_size, clips),
                          taken)
    return None
