"""Forecast how long schedules take, from measured times."""

import math
from typing import Dict, Mapping, NamedTuple, Optional, Tuple

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
            crop), with those of base training under None. Defaults to an
            empty dict, which means no waiting.
        workers (int): Number of data workers, each with a core. With 0 the
            training process loads. Defaults to 1.
    """
    steps: Mapping[Shape, float]
    batch_size: int
    clips: int = MANY_CLIPS
    loads: Mapping[Optional[Tuple[int, int]], float] = {}
    workers: int = 1

    def load(self, shape: Shape) -> float:
        """Look up the seconds to load a batch in one worker."""
        return self.batch_size * shape.batch_factor * self.loads.get(
            shape[1:], 0.)

    def waiting(self, computing: float, loading: float) -> float:
        """Compute the seconds of waiting for clips.

        Args:
            computing (float): Seconds of computing.
            loading (float): Seconds of loading in one worker.
        """
        # Workers load while the training process computes.
        if not self.workers:
            return loading
        return max(0., loading / self.workers - computing)


def forecast(schedule: MultigridSchedule,
             times: MeasuredTimes) -> Dict[str, Tuple[float, float]]:
    """Forecast the seconds of a schedule and of base training.

    Validation and precise BN are left out.

    Args:
        schedule (MultigridSchedule): The schedule.
        times (MeasuredTimes): The measured times.

    Returns:
        dict: Seconds of the schedule and of base training, as a pair for
        each of ``'training'``, ``'waiting for data'`` and ``'total'``.
    """
    training = waiting = 0.
    for stage in schedule.stages:
        counts = count_batches(stage.shapes, times.batch_size, times.clips)
        batches = [*zip(counts, stage.shapes)]
        computing = sum(count * times.steps[shape] for count, shape in batches)
        loading = sum(count * times.load(shape) for count, shape in batches)
        training += stage.epochs * computing
        # Per stage: a fast stage does not load ahead for a slow one.
        waiting += stage.epochs * times.waiting(computing, loading)
    iterations = count_base_iterations(schedule, times.batch_size, times.clips)
    computing = iterations * times.steps[schedule.base.shape]
    loading = iterations * times.batch_size * times.loads.get(None, 0.)
    base_waiting = times.waiting(computing, loading)
    return {
        'training': (training, computing),
        'waiting for data': (waiting, base_waiting),
        'total': (training + waiting, computing + base_waiting)
    }


def workers_needed(schedule: MultigridSchedule, times: MeasuredTimes) -> int:
    """Return the number of data workers that no stage has to wait for."""
    # The small number keeps rounding errors from asking for one more.
    return max(
        math.ceil(
            sum(map(times.load, stage.shapes)) /
            sum(times.steps[shape] for shape in stage.shapes) - 1e-9)
        for stage in schedule.stages)
