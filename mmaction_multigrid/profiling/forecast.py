"""How long a schedule takes, from the measured times of what it does."""

import math
from bisect import bisect_left
from typing import (
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from ..schedule import (
    MultigridSchedule,
    Shape,
    count_base_updates,
    count_batches,
    precise_bn_batches,
)
from .probe import Probe

# Where their number is unknown: what an epoch drops does not count then.
MANY_CLIPS = 10**8
Size = Tuple[int, int]  # frames and crop


class StepTimes:
    """Seconds of a step at any batch factor of the shapes that were probed.

    They lie on a line between the measured ones: a step of a small batch takes
    longer than its share of a large one. ``times[shape]`` of a (frames, crop)
    that was not probed, or failed, is a ``KeyError``.

    Args:
        probes: Of a (frames, crop) one or more, with different batch factors.
        batch_size: Base batch that training has; that of the probes may be
            smaller.
    """

    def __init__(self, probes: Iterable[Probe], batch_size: int) -> None:
        self._points: Dict[Size, List[Tuple[int, float]]] = {}
        for probe in probes:
            factor, *size = probe.shape
            if probe.error is None:
                seconds = probe.seconds * batch_size * factor / probe.clips
                self._points.setdefault(tuple(size), []).append(
                    (factor, seconds))

    def __getitem__(self, shape: Shape) -> float:
        factor, points = shape.batch_factor, sorted(self._points[shape[1:]])
        if len(points) == 1:
            points.insert(0, (0, 0.))
        above = bisect_left(points, (factor, ))
        above = min(max(above, 1), len(points) - 1)
        (low, begin), (high, end) = points[above - 1:above + 1]
        return begin + (end - begin) * (factor - low) / (high - low)


class Costs(NamedTuple):
    """What was measured, in seconds.

    Attributes:
        steps (Mapping): Of a training step, by shape.
        forward (float): Of a forward on a base batch.
        loads (Mapping): Of a clip, loaded by one worker, by (frames, crop);
            under None: by base training. Empty: nothing is waited for.
        workers (int): Data workers, each with a core of its own; 0: training
            loads by itself.
        evaluation (float): Of a validation.
    """
    steps: Mapping[Shape, float]
    forward: float = 0.
    loads: Mapping[Optional[Size], float] = {}
    workers: int = 1
    evaluation: float = 0.

    def waiting(self, computing: float,
                batches: Iterable[Tuple[float, Optional[Size]]]) -> float:
        """Seconds of waiting for clips, beside seconds of computing.

        Args:
            computing: Seconds in which workers load.
            batches: Numbers of clips, and their (frames, crop).
        """
        if not self.loads:
            return 0.
        loading = sum(clips * self.loads[size] for clips, size in batches)
        if not self.workers:
            return loading
        return max(0., loading / self.workers - computing)


class Hours(NamedTuple):
    """Hours that a run takes, by what it does."""
    training: float = 0.
    waiting: float = 0.
    precise_bn: float = 0.
    validation: float = 0.


class Forecast(NamedTuple):
    """Wall-clock of a schedule and of its base training.

    Attributes:
        ours (Hours): Of the whole schedule.
        base (Hours): Of base training.
    """
    ours: Hours
    base: Hours

    @property
    def hours(self) -> float:
        """Of the whole schedule."""
        return sum(self.ours)

    @property
    def base_hours(self) -> float:
        """Of base training."""
        return sum(self.base)

    @property
    def speedup(self) -> float:
        """How many times faster the schedule is."""
        return self.base_hours / self.hours


def forecast(schedule: MultigridSchedule, costs: Costs, batch_size: int,
             clips: Optional[int] = None, processes: int = 1,
             base_evaluations: int = 0) -> Forecast:
    """Hours of a schedule and of base training.

    Args:
        schedule: The schedule.
        costs: What was measured.
        batch_size: Base batch per process.
        clips: Clips of one process; None for an unknown number, which leaves
            only the ratio with a meaning.
        processes: That train.
        base_evaluations: Validations of base training.
    """
    clips = clips or MANY_CLIPS
    training = waiting = bn = evaluations = 0
    for stage in schedule.stages:
        counts = list(zip(stage.shapes,
                          count_batches(stage.shapes, batch_size, clips)))
        computing = sum(count * costs.steps[shape] for shape, count in counts)
        training += stage.epochs * computing
        waiting += stage.epochs * costs.waiting(computing, [
            (count * batch_size * shape.batch_factor, shape[1:])
            for shape, count in counts])
        done, length = stage.begin, sum(count for _, count in counts)
        for epoch in stage.eval_epochs(schedule.settings.eval_freq):
            bn += min(clips // batch_size, precise_bn_batches(
                schedule.settings.precise_bn, (epoch - done) * length,
                batch_size * processes, epoch == schedule.max_epochs))
            done, evaluations = epoch, evaluations + 1
    base, computing = schedule.base.shape, bn * costs.forward
    bn_waiting = costs.waiting(computing, [(bn * batch_size, base[1:])])
    ours = (training, waiting, computing + bn_waiting,
            evaluations * costs.evaluation)
    updates = count_base_updates(schedule, batch_size, clips)
    computing = updates * costs.steps[base]
    waiting = costs.waiting(computing, [(updates * batch_size, None)])
    stock = (computing, waiting, 0., base_evaluations * costs.evaluation)
    return Forecast(*(Hours(*(seconds / 3600 for seconds in parts))
                      for parts in (ours, stock)))


def worker_rows(schedule: MultigridSchedule, costs: Costs,
                batch_size: int) -> List[tuple]:
    """What data workers have to do, in each stage and in base training.

    Returns:
        list: Epochs, clips a second that training takes, clips a second that
        a worker loads, and workers that keep up.
    """
    def row(epochs: str, shapes: Sequence[Shape],
            sizes: Sequence[Optional[Size]]) -> tuple:
        clips = [batch_size * shape.batch_factor for shape in shapes]
        seconds = sum(costs.steps[shape] for shape in shapes)
        loading = sum(count * costs.loads[size]
                      for count, size in zip(clips, sizes))
        return (epochs, sum(clips) / seconds, sum(clips) / loading,
                math.ceil(loading / seconds - 1e-9))

    return [row('base', [schedule.base.shape], [None]), *(
        row(f'{stage.begin + 1}-{stage.end}', stage.shapes,
            [shape[1:] for shape in stage.shapes])
        for stage in schedule.stages)]
