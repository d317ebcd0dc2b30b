"""What probes tell a user before training."""

from typing import List, Sequence

from ..schedule import MultigridSchedule, crop_warning, frames_warning
from .probe import Probe

MAX_MEMORY = 1.15  # peak of a shape, of the base shape's


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
        else:
            found += crop_warning(probe.shape.crop_size, probe.feature_size)
            found += frames_warning(probe.shape.num_frames, probe.temporal_kernel)
    return list(dict.fromkeys(found))
