"""How long a schedule takes, from the measured time of a step at every shape."""

import math
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

from ..schedule import MultigridSchedule, Shape, count_iterations
from .probe import Probe

MANY_CLIPS = 10**8  # where nobody says how many there are: what an epoch drops does not count then


class Forecast(NamedTuple):
    """Wall-clock of a schedule and of its base training.

    Attributes:
        hours (float): Of the whole schedule.
        base_hours (float): Of base training.
    """
    hours: float
    base_hours: float

    @property
    def speedup(self) -> float:
        """How many times faster the schedule is."""
        return self.base_hours / self.hours


def count_clips(dataloader: Mapping) -> Optional[int]:
    """Clips in the annotation files of a train data set, where these are there and of one line a clip."""
    dataset, times = dataloader['dataset'], 1
    while 'dataset' in dataset:
        times *= dataset.get('times', 1)
        dataset = dataset['dataset']
    total = 0
    for part in dataset.get('datasets', [dataset]):
        path = Path(part.get('ann_file', ''))
        if path.suffix not in ('.txt', '.csv') or not path.is_file():
            return None
        total += sum(1 for line in path.read_text().splitlines() if line.strip())
    return total * times


def step_seconds(probes: Sequence[Probe], batch_size: int) -> Dict[Shape, float]:
    """Seconds of a training step at each shape, on a base batch of ``batch_size`` clips."""
    return {probe.shape: probe.seconds * batch_size * probe.shape.batch_factor / probe.clips for probe in probes}


def forecast(schedule: MultigridSchedule, steps: Mapping[Shape, float], batch_size: int, clips: Optional[int] = None,
             rates: Optional[Mapping[Shape, float]] = None, stock_rate: Optional[float] = None) -> Forecast:
    """Hours of a schedule and of base training; validation and precise BN are left out.

    Args:
        schedule: The schedule.
        steps: Seconds of a training step at each shape.
        batch_size: Base batch per process.
        clips: Clips of one process; None for an unknown number, which leaves only the ratio with a meaning.
        rates: Clips a second that are loaded at each shape; a step waits for its batch. None: nothing waits.
        stock_rate: Clips a second that base training loads.
    """
    def step(shape: Shape, rate: Optional[float]) -> float:
        return max(steps[shape], batch_size * shape.batch_factor / rate) if rate else steps[shape]

    clips = clips or MANY_CLIPS
    rates = rates or {}
    ours = sum(count * step(shape, rates.get(shape))
               for shape, count in count_iterations(schedule.stages, batch_size, clips).items())
    base = schedule.base.max_epochs * clips / batch_size * step(schedule.base.shape, stock_rate)
    return Forecast(ours / 3600, base / 3600)


def loader_rows(schedule: MultigridSchedule, probes: Sequence[Probe], clips_per_second: float) -> List[tuple]:
    """Epochs, clips a second that training eats, and workers that load so many, of each stage and of base training.

    A worker loads ``clips_per_second``. A stage is bound by its data where it has fewer workers than that.
    """
    by_shape = {probe.shape: probe for probe in probes}
    rows = []
    for epochs, shapes in [('base', [schedule.base.shape]), *((f'{stage.begin + 1}-{stage.end}', stage.shapes)
                                                             for stage in schedule.stages)]:
        cycle = [by_shape[shape] for shape in shapes]
        needed = sum(probe.clips for probe in cycle) / sum(probe.seconds for probe in cycle)
        rows.append((epochs, needed, math.ceil(needed / clips_per_second)))
    return rows
