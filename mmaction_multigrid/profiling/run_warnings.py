"""What a user should know before training, of the schedule and its data."""

from typing import Iterable, List, Optional

from ..core.shapes import Shape
from ..config.auto import enough_iterations

MAX_SHARE = 0.1  # of the data set, in one batch
MIN_POSITIONS = 3  # below, a network pools what it should look at
CAP_LINE = "multigrid.max_batch_factor = 'auto'"


def data_warnings(shapes: Iterable[Shape], batch_size: int, clips: int, updates: int, base_updates: int) -> List[str]:
    """Of a data set that is small for the schedule.

    Args:
        shapes: Every shape of the schedule.
        batch_size: Base batch of all processes.
        clips: Clips in the data set.
        updates: Iterations of the whole schedule.
        base_updates: Iterations of base training.
    """
    found = []
    largest = max(shape.batch_factor for shape in shapes) * batch_size
    if largest > MAX_SHARE * clips and largest > batch_size:
        found.append(f'the largest batch of all processes, {largest} clips, is more than a tenth of the data set '
                     f'({clips} clips)')
    enough = enough_iterations(base_updates)
    if updates < enough:
        cure = 'train more epochs' if largest <= batch_size else f'{CAP_LINE} keeps as many, in smaller batches'
        found.append(f'the schedule has {updates} updates, base training {base_updates}: with fewer than {enough} '
                     f'accuracy is often lost; {cure}')
    return found


def crop_warning(crop_size: int, positions: Optional[int]) -> List[str]:
    """Of a crop that leaves the head next to nothing to look at.

    Args:
        crop_size: In pixels.
        positions: Shorter side of the smallest feature map that the head sees; None: nobody knows.
    """
    if positions is None or positions >= MIN_POSITIONS:
        return []
    return [f'a crop of {crop_size} pixels leaves the head {positions} x {positions} positions: it is too small for the '
            "network's total stride"]


def frames_warning(num_frames: int, kernel: int) -> List[str]:
    """Of clips with fewer frames than a convolution of the network is long in time."""
    if num_frames >= kernel:
        return []
    return [f'clips of {num_frames} frame{"s" if num_frames > 1 else ""} are shorter than a convolution of the network '
            f'is in time ({kernel} frames), which then sees padding for the most part']
