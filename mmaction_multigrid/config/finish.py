"""A last stage on full clips alone."""

from copy import copy
from dataclasses import replace
from itertools import dropwhile
from typing import List, Union

from ..core.lr import EpochSpan
from ..core.schedule import MultigridSchedule
from ..core.shapes import mean_batch_factor
from ..core.stages import Stage

# Share of the lr at the beginning of the finish that is left at its end.
LAST_LR = 0.01


def finish_on_full_clips(schedule: MultigridSchedule,
                         finish: Union[str, float]) -> MultigridSchedule:
    """Replace the last stages of a schedule by one stage of full clips only.

    In the paper's last stages the short cycle continues, and two of three
    iterations use smaller crops. In the finish all iterations use the base
    shape, and the lr falls linearly to 1 %.

    Args:
        schedule (MultigridSchedule): A schedule with cycles whose lr has
            steps.
        finish (str or float): With ``'full'`` the finish has as many
            iterations as the stages that it replaces. A number is its share
            of all iterations.

    Returns:
        MultigridSchedule: The schedule with another end.
    """
    last = _last_stages(schedule)
    first = schedule.stages[:len(schedule.stages) - len(last)]
    iterations = (
        _relative_iterations(last) if finish == 'full' else
        _relative_iterations(first) * finish / (1 - finish))
    begin = last[0].begin
    # At the base shape an epoch has as many iterations as one of base
    # training, in whose epochs they are counted.
    end = begin + max(1, round(iterations))
    schedule = copy(schedule)
    schedule.stages = (*first,
                       Stage(begin, end, (schedule.base.shape, ), 1.,
                             last[0].lr_step))
    before = [span for span in schedule.spans if span.begin < begin]
    # The finish corresponds to the rest of base training, for lr curves.
    base_begin = before[-1].base_end if before else 0.
    schedule.spans = [
        *before,
        EpochSpan(begin, end, base_begin, schedule.base.max_epochs)
    ]
    start = schedule.lr.without_warmup(begin)
    points = [point for point in schedule.lr.points if point[0] < begin]
    schedule.lr = replace(
        schedule.lr,
        points=(*points, (begin, start)),
        final=(end, LAST_LR * start))
    return schedule


def _last_stages(schedule: MultigridSchedule) -> List[Stage]:
    """List the stages at the end whose own shape is the base shape.

    Without a long cycle all stages have that shape, and only the last one is
    returned.
    """
    if not schedule.settings.long_cycle:
        return [schedule.stages[-1]]
    coarse = dropwhile(lambda stage: stage.shape == schedule.base.shape,
                       reversed(schedule.stages))
    return list(schedule.stages[len(list(coarse)):])


def _relative_iterations(stages: List[Stage]) -> float:
    """Count the iterations of stages in units of a base epoch."""
    return sum(stage.epochs / mean_batch_factor(stage.shapes)
               for stage in stages)
