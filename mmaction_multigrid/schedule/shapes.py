"""Grid shapes: how many clips, of how many frames and pixels, make a batch of the base batch's cost."""

from dataclasses import dataclass
from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple

Factor = Tuple[float, float]


class Shape(NamedTuple):
    """One shape of the grid.

    Attributes:
        batch_factor (int): Clips in a batch, relative to the base batch.
        num_frames (int): Frames in a clip.
        crop_size (int): Side of the square crop, in pixels.
    """
    batch_factor: int
    num_frames: int
    crop_size: int


def round_to(value: float, multiple: int) -> int:
    """The nearest multiple, one at the least; of two as near the one that Python's ``round`` takes."""
    return multiple * max(1, int(round(value / multiple)))


def mean_batch_factor(shapes: Sequence[Shape]) -> float:
    """Mean batch factor of the shapes of a short cycle."""
    return sum(shape.batch_factor for shape in shapes) / len(shapes)


@dataclass(frozen=True)
class Grid:
    """The shapes that a base shape has on coarser grids.

    Attributes:
        base (Shape): The base config's shape.
        short_factors (tuple): ``short_cycle_factors``; empty for no short cycle.
        reference (str): ``'default'``: these apply to the base crop; ``'stage'``: to the stage's.
        frame_multiple (int): Frames come in multiples of it.
        crop_multiple (int): Crops come in multiples of it, but for the base crop and those that a user sets.
        listed (mapping, optional): Batch factor by (frames, crop). None: what
            costs as much as the base batch.
    """
    base: Shape
    short_factors: Tuple[float, ...] = ()
    reference: str = 'default'
    frame_multiple: int = 1
    crop_multiple: int = 1
    listed: Optional[Mapping[Tuple[int, int], int]] = None

    def cost_factor(self, num_frames: float, crop_size: float) -> int:
        """Clips of the given size that cost as much as one of the base size, at least 1 (paper, section 3)."""
        cost = self.base.num_frames * self.base.crop_size * self.base.crop_size
        return max(1, int(round(float(cost) / (num_frames * crop_size * crop_size))))

    def batch_factor(self, num_frames: int, crop_size: int) -> int:
        """Clips for one of the base size: as listed, or by their cost.

        Raises:
            ValueError: The shape is not in the list.
        """
        if self.listed is None:
            return self.cost_factor(num_frames, crop_size)
        if (num_frames, crop_size) not in self.listed:
            known = ', '.join(f'{frames} x {crop}' for frames, crop in sorted(self.listed))
            raise ValueError(
                f'multigrid.batch_factors: {num_frames} frames x {crop_size} '
                f'pixels are missing beside {known}; add them')
        return self.listed[num_frames, crop_size]

    def scale(self, factor: Factor) -> Shape:
        """The base shape times a factor of frames and of crop, with the batch factor that keeps the cost."""
        num_frames = round_to(self.base.num_frames * factor[0], self.frame_multiple)
        crop_size = min(round_to(self.base.crop_size * factor[1], self.crop_multiple), self.base.crop_size)
        return Shape(self.batch_factor(num_frames, crop_size), num_frames, crop_size)

    def short_cycle(self, own: Shape, reference: Optional[str] = None) -> Tuple[Shape, ...]:
        """The shapes of the short cycle inside a stage, the stage's own last; ``reference``: another one."""
        shapes = []
        for crop in self._short_crops(own, reference):
            crop_size = min(round_to(crop, self.crop_multiple), own.crop_size)
            factor = own.batch_factor * max(1, int(round((own.crop_size / crop_size)**2)))
            if self.listed is not None:
                factor = self.batch_factor(own.num_frames, crop_size)
            shapes.append(Shape(factor, own.num_frames, crop_size))
        return (*shapes, own)

    def average_batch_factor(self, own: Shape, exact_crop: float, reference: Optional[str] = None) -> float:
        """Mean batch factor over the short cycle of a stage, as the schedule counts it.

        For this mean no crop of the short cycle is rounded, nor
        ``exact_crop``, the stage's own (reference implementation,
        ``slowfast/utils/multigrid.py``), unless to multiples of more than one
        pixel, which is too far to be left out, or with listed batch factors.
        """
        if self.crop_multiple > 1 or self.listed is not None:
            return mean_batch_factor(self.short_cycle(own, reference))
        numbers = [self.cost_factor(own.num_frames, min(crop, exact_crop)) for crop in self._short_crops(own, reference)]
        return sum(numbers + [own.batch_factor]) / (len(numbers) + 1)

    def _short_crops(self, own: Shape, reference: Optional[str]) -> List[float]:
        of = self.base if (reference or self.reference) == 'default' else own
        return [factor * of.crop_size for factor in self.short_factors]


def frame_interval_range(frame_interval: int, base_frames: int, num_frames: int) -> Tuple[int, int]:
    """Inclusive range that a clip of ``num_frames`` draws its frame interval from (paper, section 3.3).

    The longest interval keeps the time span of the base clip.
    """
    return frame_interval, frame_interval * max(1, base_frames // num_frames)


def num_bn_splits(batch_size: int, bn_base_size: int) -> int:
    """Groups over which batch-norm statistics are computed.

    Args:
        batch_size: Clips per GPU in the stage's own batch.
        bn_base_size: Clips in a group.
    """
    return max(1, batch_size // bn_base_size)


def norm_groups(batch_size: int, clips: int, num_processes: int) -> Tuple[int, int]:
    """Splits of a batch, and processes that share statistics, to have these over ``clips`` clips (paper, section 3.4).

    Splits divide the batch, so that no clip is cut where a norm layer sees frames.

    Args:
        batch_size: Clips per GPU in the stage's own batch.
        clips: Clips that statistics are computed over.
        num_processes: All processes. With one, statistics of a batch below ``clips`` are over fewer.
    """
    splits = num_bn_splits(batch_size, clips)
    while batch_size % splits:
        splits -= 1
    return splits, min(num_processes, -(-clips // batch_size))


def cap_batches(shapes: Sequence[Shape], cap: Optional[int]) -> Tuple[Shape, ...]:
    """The shapes of a short cycle with batch factors of at most ``cap``; None: as they are."""
    return tuple(shape._replace(batch_factor=min(shape.batch_factor, cap or shape.batch_factor)) for shape in shapes)


def saving_of(shapes: Sequence[Shape], capped: Sequence[Shape]) -> float:
    """How many times less an epoch of a capped short cycle computes than one at the base shape.

    Args:
        shapes: The short cycle, whose batches all cost what a base batch costs.
        capped: The same with smaller batches, which cost as much less.
    """
    cost = sum(small.batch_factor / shape.batch_factor for shape, small in zip(shapes, capped))
    return sum(shape.batch_factor for shape in capped) / cost
