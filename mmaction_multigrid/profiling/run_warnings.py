"""Warnings about a schedule, its data and its network."""

from typing import Iterable, List, Optional

from ..config.auto import enough_iterations
from ..core.shapes import Shape

MAX_SHARE = 0.1  # of the dataset in one batch
MIN_POSITIONS = 3  # with fewer, pooling leaves nothing of a feature map
CAP_LINE = "multigrid.max_batch_factor = 'auto'"


def data_warnings(shapes: Iterable[Shape], batch_size: int, clips: int,
                  iterations: int, base_iterations: int) -> List[str]:
    """Warn of a dataset that is small for the schedule.

    Args:
        shapes (Iterable[Shape]): All shapes of the schedule.
        batch_size (int): Base batch of all processes.
        clips (int): Clips in the dataset.
        iterations (int): Iterations of the whole schedule.
        base_iterations (int): Iterations of base training.
    """
    found = []
    largest = max(shape.batch_factor for shape in shapes) * batch_size
    if largest > MAX_SHARE * clips and largest > batch_size:
        found.append(f'the largest batch of all processes, {largest} clips, '
                     f'is more than a tenth of the dataset ({clips} clips)')
    enough = enough_iterations(base_iterations)
    if iterations < enough:
        cure = f'{CAP_LINE} keeps as many, in smaller batches'
        if largest <= batch_size:
            cure = 'train more epochs'
        found.append(f'the schedule has {iterations} iterations, base '
                     f'training {base_iterations}: with fewer than {enough} '
                     f'accuracy is often lost; {cure}')
    return found


def crop_warning(crop_size: int, positions: Optional[int]) -> List[str]:
    """Warn of a crop that leaves the head too few positions.

    Args:
        crop_size (int): Crop in pixels.
        positions (int, optional): Shorter side of the smallest feature map
            that the head sees. None where it is unknown.
    """
    if positions is None or positions >= MIN_POSITIONS:
        return []
    return [
        f'a crop of {crop_size} pixels leaves the head '
        f'{positions} x {positions} positions: it is too small '
        'for the network\'s total stride'
    ]


def frames_warning(num_frames: int, kernel: int) -> List[str]:
    """Warn of clips that are shorter than a temporal convolution."""
    if num_frames >= kernel:
        return []
    return [
        f'clips of {num_frames} frame{"s" if num_frames > 1 else ""} are '
        'shorter than a convolution of the network is in time '
        f'({kernel} frames), which then sees padding for the most part'
    ]
