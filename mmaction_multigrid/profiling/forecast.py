"""Forecast how long schedules take, from measured times."""

import math
from typing import Mapping, NamedTuple, Tuple

from ..config.describe import count_base_iterations
from ..core.schedule import MultigridSchedule
from ..core.shapes import Shape
from ..core.stages import count_batches

# Stands for an unknown number of clips. With so many, those that fill no batch
# do not count.
MANY_CLIPS = 10**8


class MeasuredTimes(NamedTuple):
    """Measured times, and the run that they are for.

    Attributes:
        steps (Mapping): Seconds of a training step, by shape.
        batch_size (int): Base batch per process.
        clips (int): Clips of one process in an epoch.
        loads (Mapping): Seconds to load a clip in one worker, by (frames,
            crop). Defaults to an empty dict, which means that they are
            unknown.
    """
    steps: Mapping[Shape, float]
    batch_size: int
    clips: int = MANY_CLIPS
    loads: Mapping[Tuple[int, int], float] = {}

    def load(self, shape: Shape) -> float:
        """Look up the seconds to load a batch in one worker."""
        return self.batch_size * shape.batch_factor * self.loads.get(
            shape[1:], 0.)


def forecast(schedule: MultigridSchedule,
             times: MeasuredTimes) -> Tuple[float, float]:
    """Forecast the seconds of a schedule and of base training.

    Loading, validation and precise BN are left out.

    Args:
        schedule (MultigridSchedule): The schedule.
        times (MeasuredTimes): The measured times.

    Returns:
        tuple[float, float]: Seconds of the schedule and of base training.
    """
    training = 0.
    for stage in schedule.stages:
        counts = count_batches(stage.shapes, times.batch_size, times.clips)
        training += stage.epochs * sum(
            count * times.steps[shape]
            for count, shape in zip(counts, stage.shapes))
    iterations = count_base_iterations(schedule, times.batch_size, times.clips)
    return training, iterations * times.steps[schedule.base.shape]


def workers_needed(schedule: MultigridSchedule, times: MeasuredTimes) -> int:
    """Return the number of data workers that no stage has to wait for."""
    # The small number keeps rounding errors from asking for one more.
    return max(
        math.ceil(
            sum(map(times.load, stage.shapes)) /
            sum(times.steps[shape] for shape in stage.shapes) - 1e-9)
        for stage in schedule.stages)
