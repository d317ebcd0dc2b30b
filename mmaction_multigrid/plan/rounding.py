"""What crops cost that the network's stride does not divide."""

from typing import Dict, List, Optional, Sequence

from ..schedule import MultigridSchedule, Shape
from ..schedule.shapes import round_to
from .probe import Probe, schedule_shapes

WORTH_IT = 1.1  # times as long a pixel: less is within what such measurements scatter by


def total_stride(base: Probe) -> Optional[int]:
    """Pixels to a position of the feature map that the head sees; None for a head that sees none."""
    return base.shape.crop_size // base.feature_size if base.feature_size else None


def rounded_shapes(schedule: MultigridSchedule, stride: int) -> Dict[Shape, Shape]:
    """Of every crop that is no multiple of the stride the shape of most frames, and what it is with one that is."""
    found = {}
    for shape in sorted(schedule_shapes(schedule)):  # of a crop the one of most frames has the smallest batch
        crop = min(round_to(shape.crop_size, stride), schedule.base.crop_size)
        if shape.crop_size not in (crop, schedule.base.crop_size):
            found.setdefault(shape.crop_size, (shape, Shape(
                schedule.grid.cost_factor(shape.num_frames, crop), shape.num_frames, crop)))
    return dict(found.values())


def rounding_advice(stride: int, pairs: Dict[Shape, Shape], probes: Sequence[Probe]) -> List[str]:
    """A line for every crop that takes longer for a pixel than its neighbour does."""
    seconds = {probe.shape: probe.seconds / (probe.clips * probe.shape.num_frames * probe.shape.crop_size**2)
               for probe in probes}
    lines = []
    for odd, even in pairs.items():
        ratio = seconds[odd] / seconds[even]
        if ratio > WORTH_IT:
            lines.append(f'advice: crops of {odd.crop_size} pixels take {ratio:.2f} times as long a pixel as those of '
                         f"{even.crop_size}, a multiple of the network's stride: multigrid.crop_multiple = {stride}")
    return lines
