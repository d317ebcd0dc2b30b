"""How long a schedule takes, from the measured times of what it does."""

import math
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..schedule import MultigridSchedule, Shape, count_base_updates, count_batches, precise_bn_batches
from .probe import Probe

MANY_CLIPS = 10**8  # where nobody says how many there are: what an epoch drops does not count then


class Costs(NamedTuple):
    """What was measured, in seconds.

    Attributes:
        steps (Mapping): Of a training step on a base batch's worth of clips, by shape.
        forward (float): Of a forward on a base batch.
        loads (Mapping): Of a clip, loaded by one worker, by (frames, crop); under None: by base training. Empty: nothing
            is waited for.
        receiving (float): Of base training, for a clip that a worker has ready.
        workers (int): Data workers, each with a core of its own; 0: training loads by itself.
        evaluation (float): Of a validation.
        checkpoint (float): Of a checkpoint.
    """
    steps: Mapping[Shape, float]
    forward: float = 0.
    loads: Mapping[Optional[Tuple[int, int]], float] = {}
    receiving: float = 0.
    workers: int = 1
    evaluation: float = 0.
    checkpoint: float = 0.

    def loading(self, clips: float, shape: Optional[Shape]) -> float:
        """Seconds in which the workers load so many clips."""
        return clips * self.loads[shape and shape[1:]] / max(1, self.workers) if self.loads else 0.

    def waiting(self, computing: float, loading: float) -> float:
        """Seconds of waiting beside so much work of the network and of the workers."""
        return max(0., loading - computing) if self.workers else loading


class Hours(NamedTuple):
    """Hours that a run takes.

    Attributes:
        training, waiting, precise_bn, validation, checkpoints (float): In the network, for data, and so on.
    """
    training: float = 0.
    waiting: float = 0.
    precise_bn: float = 0.
    validation: float = 0.
    checkpoints: float = 0.


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


def step_seconds(probes: Sequence[Probe], batch_size: int) -> Dict[Shape, float]:
    """Seconds of a training step at each shape, on a base batch of ``batch_size`` clips."""
    return {probe.shape: probe.seconds * batch_size * probe.shape.batch_factor / probe.clips for probe in probes}


def forecast(schedule: MultigridSchedule, costs: Costs, batch_size: int, clips: Optional[int] = None,
             processes: int = 1, base_evaluations: int = 0, base_checkpoints: int = 0) -> Forecast:
    """Hours of a schedule and of base training.

    Args:
        schedule: The schedule.
        costs: What was measured.
        batch_size: Base batch per process.
        clips: Clips of one process; None for an unknown number, which leaves only the ratio with a meaning.
        processes: That train.
        base_evaluations: Validations of base training.
        base_checkpoints: Checkpoints of base training.
    """
    clips = clips or MANY_CLIPS
    training = waiting = 0.
    for stage in schedule.stages:
        counts = list(zip(stage.shapes, count_batches(stage.shapes, batch_size, clips)))
        computing = sum(count * costs.steps[shape] for shape, count in counts)
        loading = sum(costs.loading(count * batch_size * shape.batch_factor, shape) for shape, count in counts)
        training += stage.epochs * computing
        waiting += stage.epochs * costs.waiting(computing, loading)
    batches = count_precise_bn(schedule, batch_size, clips, processes)
    computing, loading = batches * costs.forward, costs.loading(batches * batch_size, schedule.base.shape)
    evaluations = count_evaluations(schedule)
    ours = (training, waiting, computing + costs.waiting(computing, loading), evaluations * costs.evaluation,
            evaluations * costs.checkpoint)
    updates = count_base_updates(schedule, batch_size, clips)
    computing, loading = updates * costs.steps[schedule.base.shape], costs.loading(updates * batch_size, None)
    receiving = updates * batch_size * costs.receiving if costs.workers else 0.
    base = (computing, max(receiving, costs.waiting(computing, loading)), 0., base_evaluations * costs.evaluation,
            base_checkpoints * costs.checkpoint)
    return Forecast(*(Hours(*(seconds / 3600 for seconds in parts)) for parts in (ours, base)))


def count_evaluations(schedule: MultigridSchedule) -> int:
    """Validations, and checkpoints, of the whole schedule."""
    return sum(len(stage.eval_epochs(schedule.settings.eval_freq)) for stage in schedule.stages)


def count_precise_bn(schedule: MultigridSchedule, batch_size: int, clips: int, processes: int = 1) -> int:
    """Batches of precise BN in the whole schedule; the arguments as above."""
    settings, total = schedule.settings, 0
    if not settings.precise_bn:
        return 0
    for stage in schedule.stages:
        length, done = sum(count_batches(stage.shapes, batch_size, clips)), stage.begin
        for epoch in stage.eval_epochs(settings.eval_freq):
            batches = precise_bn_batches(settings.precise_bn, (epoch - done) * length, batch_size * processes,
                                         epoch == schedule.max_epochs)
            total += min(batches, clips // batch_size)
            done = epoch
    return total


def worker_rows(schedule: MultigridSchedule, costs: Costs, batch_size: int) -> List[tuple]:
    """Epochs, clips a second that training eats, clips a second of one worker, and workers that load as many as are
    eaten, of each stage and of base training."""
    rows = []
    for epochs, shapes, loads in [
            ('base', [schedule.base.shape], [costs.loads[None]]),
            *((f'{stage.begin + 1}-{stage.end}', stage.shapes, [costs.loads[shape[1:]] for shape in stage.shapes])
              for stage in schedule.stages)]:
        seconds = sum(costs.steps[shape] for shape in shapes)
        clips = sum(batch_size * shape.batch_factor for shape in shapes)
        loading = sum(batch_size * shape.batch_factor * load for shape, load in zip(shapes, loads))
        rows.append((epochs, clips / seconds, clips / loading, math.ceil(loading / seconds - 1e-9)))
    return rows
