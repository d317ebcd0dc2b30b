"""Forecast how long schedules take, from measured times."""

import math
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional
from typing import Sequence, Tuple

import numpy as np

from ..config.describe import count_base_iterations, count_iterations
from ..core.schedule import MultigridSchedule
from ..core.shapes import Shape
from ..core.stages import count_batches
from .steps import StepProfile, schedule_shapes, sort_shapes

MANY_CLIPS = 10**8  # for an unknown number: an epoch drops none of them


class MeasuredTimes(NamedTuple):
    """Measured times, and the run that they are for.

    Attributes:
        profiles (Sequence[StepProfile]): Training steps; of a (frames, crop)
            one or more, at different batch factors.
        batch_size (int): Base batch per process.
        clips (int): Clips of one process.
        processes (int): Processes that train.
        views (int): Clips that the dataset yields of a video at once.
        loads (Mapping): Seconds to load a clip in one worker, by (frames,
            crop); of base training under None. Empty: no waiting.
        workers (int): Data workers, each with a core of its own; 0: the
            training process loads.
    """
    profiles: Sequence[StepProfile]
    batch_size: int
    clips: int = MANY_CLIPS
    processes: int = 1
    views: int = 1
    loads: Mapping[Optional[Tuple[int, int]], float] = {}
    workers: int = 1

    def step(self, shape: Shape) -> float:
        """Interpolate the seconds of a step at any batch factor.

        Returns:
            float: NaN where no step at its frames and crop worked.
        """
        points = sorted(
            (profile.shape.batch_factor,
             profile.seconds / profile.clips * profile.shape.batch_factor)
            for profile in self.profiles
            if profile.works and profile.shape[1:] == shape[1:])
        seconds = np.interp(shape.batch_factor,
                            *zip(*(points or [(1, math.nan)])))
        return float(seconds) * self.batch_size * self.views

    def load(self, shape: Shape) -> float:
        """Look up the seconds to load a batch in one worker."""
        return self.batch_size * shape.batch_factor * self.loads.get(
            shape[1:], 0.)

    def waiting(self, computing: float, loading: float) -> float:
        """Compute the seconds of waiting for clips.

        Args:
            computing: Seconds of computing, in which workers load.
            loading: Seconds of loading in one worker.
        """
        if not self.workers:
            return loading
        return max(0., loading / self.workers - computing)


class Forecast(NamedTuple):
    """Time of a schedule beside that of its base training.

    Validation and precise BN are left out.

    Attributes:
        schedule (MultigridSchedule): The schedule.
        iterations (int): Iterations of the schedule.
        base_iterations (int): Iterations of base training.
        parts (Dict[str, Tuple[float, float]]): Seconds of the schedule and
            of base training, by what they do.
    """
    schedule: MultigridSchedule
    iterations: int
    base_iterations: int
    parts: Dict[str, Tuple[float, float]]

    @property
    def seconds(self) -> Tuple[float, float]:
        """Seconds of the schedule and of base training."""
        ours, base = zip(*self.parts.values())
        return sum(ours), sum(base)

    @property
    def speedup(self) -> float:
        """Ratio of the two."""
        return self.seconds[1] / self.seconds[0]


def forecast(schedule: MultigridSchedule, times: MeasuredTimes) -> Forecast:
    """Forecast the seconds of a schedule and of base training.

    Args:
        schedule (MultigridSchedule): The schedule.
        times (MeasuredTimes): The measured times.

    Returns:
        Forecast: Of NaN seconds where the step at a shape did not work.
    """
    batch_size, clips = times.batch_size, times.clips
    training = waiting = 0.
    for stage in schedule.stages:
        counts = count_batches(stage.shapes, batch_size, clips)
        computing, loading = (sum(
            count * cost(shape) for count, shape in zip(counts, stage.shapes))
                              for cost in (times.step, times.load))
        training += stage.epochs * computing
        waiting += stage.epochs * times.waiting(computing, loading)
    iterations = count_base_iterations(schedule, batch_size, clips)
    computing = iterations * times.step(schedule.base.shape)
    loading = iterations * batch_size * times.loads.get(None, 0.)
    parts = {
        'training': (training, computing),
        'waiting for data': (waiting, times.waiting(computing, loading))
    }
    return Forecast(schedule, count_iterations(schedule, batch_size, clips),
                    iterations, parts)


def workers_needed(schedule: MultigridSchedule, times: MeasuredTimes) -> int:
    """Count the data workers that keep up with training in every stage."""
    return max(
        math.ceil(
            sum(map(times.load, stage.shapes)) /
            sum(map(times.step, stage.shapes)) - 1e-9)
        for stage in schedule.stages)


def shapes_to_profile(schedule: MultigridSchedule,
                      others: Iterable[MultigridSchedule]) -> List[Shape]:
    """List the shapes from which the times of several schedules follow.

    Those of the first, and of the others the largest and the base batch at
    each (frames, crop): times between them are interpolated.
    """
    shapes = schedule_shapes(schedule)
    every = [*shapes, *(s for other in others for s in schedule_shapes(other))]
    # Of equal keys the last one stays.
    largest = {shape[1:]: shape for shape in sorted(every)}.values()
    return sort_shapes([
        *shapes, *largest,
        *(shape._replace(batch_factor=1) for shape in largest)
    ])
