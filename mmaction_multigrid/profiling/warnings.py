"""Warn of datasets, clips and shapes that do not suit a schedule."""

import math
from typing import Iterable, List, Optional, Sequence

from ..core.schedule import MultigridSchedule
from ..core.shapes import Shape

# Share of the dataset in one batch above which there is a warning.
MAX_SHARE = 0.1
# With fewer iterations, or those of base training if these are fewer, accuracy
# was often lost. The default leaves more if base training has 7,000.
MIN_ITERATIONS = 1800
# Positions along an edge of the last feature map. With fewer, the head pools
# over almost nothing.
MIN_POSITIONS = 3
# Peak memory relative to that of the base shape. Rounded feature maps account
# for less.
MAX_MEMORY = 1.15


def data_warnings(shapes: Iterable[Shape], batch_size: int, clips: int,
                  iterations: int, base_iterations: int) -> List[str]:
    """List warnings of a dataset that is small for the schedule.

    Args:
        shapes (Iterable[Shape]): All shapes of the schedule.
        batch_size (int): Base batch of all processes.
        clips (int): Clips in the dataset.
        iterations (int): Iterations of the whole schedule.
        base_iterations (int): Iterations of base training.
    """
    largest = max(shape.batch_factor for shape in shapes) * batch_size
    # 'auto' makes no smaller ones.
    if largest <= 2 * batch_size:
        return []
    found = []
    if largest > MAX_SHARE * clips:
        found.append(f'the largest batch of all processes, {largest} clips, '
                     f'is more than a tenth of the dataset ({clips} clips); '
                     'lower multigrid.max_batch_factor')
    enough = min(base_iterations, MIN_ITERATIONS)
    if iterations < enough:
        found.append(f'the schedule has {iterations} iterations, base '
                     f'training {base_iterations}: with fewer than {enough} '
                     'accuracy is often lost; set '
                     "multigrid.max_batch_factor = 'auto' or a larger "
                     'epoch_factor')
    return found


def clip_warnings(num_frames: int, crop_size: int, positions: Optional[int],
                  kernel: int) -> List[str]:
    """List warnings of clips that are small for the network.

    Args:
        num_frames (int): Frames of a clip.
        crop_size (int): Crop in pixels.
        positions (int, optional): Shorter edge of the smallest feature map
            that the head gets. None if it is unknown.
        kernel (int): Largest temporal kernel size of the network, in frames.
    """
    found = []
    if positions is not None and positions < MIN_POSITIONS:
        found.append(f'a crop of {crop_size} pixels leaves the head '
                     f'{positions} x {positions} positions: it is too small '
                     "for the network's total stride; set "
                     'multigrid.short_cycle = False, or larger '
                     'multigrid.short_cycle_factors')
    if num_frames < kernel:
        found.append(f'clips of {num_frames} frames are shorter than a '
                     f'convolution of the network is in time ({kernel} '
                     'frames); set larger frames in '
                     'multigrid.long_cycle_factors')
    return found


def shape_warnings(schedule: MultigridSchedule,
                   profiles: Sequence) -> List[str]:
    """List warnings of shapes that fail, or are too large or too small.

    Args:
        schedule (MultigridSchedule): The schedule.
        profiles (Sequence[StepProfile]): Profiles of its shapes.
    """
    base = next(
        (profile.peak_memory
         for profile in profiles if profile.shape == schedule.base.shape),
        None)
    found = []
    for profile in profiles:
        _, frames, crop = profile.shape
        ratio = (profile.peak_memory or 0) / (base or math.inf)
        if ratio > MAX_MEMORY:
            found.append(f'{frames} frames x {crop} pixels needs {ratio:.2f} '
                         'times the memory of the base shape: lower '
                         'multigrid.max_batch_factor, or '
                         'train_dataloader.batch_size and the lr with it')
        if profile.works:
            found += profile.warnings
        else:
            found.append(f'{frames} frames x {crop} pixels fails: '
                         f'{profile.error or f"loss = {profile.loss}"}')
    return list(dict.fromkeys(found))
