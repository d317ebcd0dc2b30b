"""What a user should know before training."""

from typing import List, Optional, Sequence

from ..schedule import MultigridSchedule, count_iterations
from .probe import Probe

MIN_FEATURE_SIZE = 3  # positions: below, a network pools what it should look at
MAX_SHARE = 0.1  # of the data set, in one batch
MAX_MEMORY = 1.15  # peak of a shape, of the base shape's
# Measured: small networks lost 12 points with 185 (digits, 1,250 clips), up to 4 with 373 (2,500 clips), up to 6 with
# 2,112 (UTD-MHAD); how many a data set needs, nobody can tell beforehand.
MIN_UPDATES = 3000


def shape_warnings(schedule: MultigridSchedule, probes: Sequence[Probe]) -> List[str]:
    """Of shapes that fail, need much memory or leave the network too little to look at."""
    memory = {probe.shape: probe.peak_memory for probe in probes if probe.peak_memory}
    base = memory.get(schedule.base.shape)
    found = [f'{shape.num_frames} frames x {shape.crop_size} pixels needs {peak / base:.2f} times the memory of the '
             'base shape' for shape, peak in memory.items() if base and peak > MAX_MEMORY * base]
    for probe in probes:
        if not probe.works:
            found.append(f'{probe.shape.num_frames} frames x {probe.shape.crop_size} pixels fails: '
                         f'{probe.error or f"loss = {probe.loss}"}')
        elif probe.feature_size is not None and probe.feature_size < MIN_FEATURE_SIZE:
            found.append(f'a crop of {probe.shape.crop_size} pixels leaves the head {probe.feature_size} x '
                         f"{probe.feature_size} positions: it is too small for the network's total stride")
    return found


def data_warnings(schedule: MultigridSchedule, batch_size: int, clips: Optional[int], processes: int = 1) -> List[str]:
    """Of a data set that is small for the schedule.

    Args:
        schedule: The schedule.
        batch_size: Base batch per process.
        clips: Clips in the data set; None if nobody knows.
        processes: Processes that will train.
    """
    if not clips:
        return []
    found = []
    largest = max(shape.batch_factor for stage in schedule.stages for shape in stage.shapes) * batch_size * processes
    if largest > MAX_SHARE * clips:
        found.append(f'the largest batch of all processes, {largest} clips, is more than a tenth of the data set '
                     f'({clips} clips)')
    updates = sum(count_iterations(schedule.stages, batch_size, clips // processes).values())
    if updates < MIN_UPDATES:
        found.append(f'the whole schedule has {updates} updates, and less than {MIN_UPDATES} are often too few '
                     'to learn from; train more epochs')
    return found
