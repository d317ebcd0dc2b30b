"""Grid shapes: how many clips, of how many frames and pixels, make a batch of the base batch's cost."""

from typing import NamedTuple, Optional, Sequence, Tuple

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


def cost_factor(base: Shape, num_frames: float, crop_size: float) -> int:
    """Clips of the given size that cost as much as one of the base size, at least 1 (paper, section 3)."""
    cost = base.num_frames * base.crop_size * base.crop_size
    return max(1, int(round(float(cost) / (num_frames * crop_size * crop_size))))


def round_to(value: float, multiple: int) -> int:
    """The nearest multiple, one at the least; of two as near the one that Python's ``round`` takes."""
    return multiple * max(1, int(round(value / multiple)))


def scale_shape(base: Shape, factor: Factor, frame_multiple: int = 1, crop_multiple: int = 1) -> Shape:
    """The base shape on a coarser grid, with the batch factor that keeps the cost.

    Args:
        base: The base config's shape.
        factor: Of frames and of crop.
        frame_multiple: Frames come in multiples of it.
        crop_multiple: Crops come in multiples of it, but for the base crop.
    """
    num_frames = round_to(base.num_frames * factor[0], frame_multiple)
    crop_size = min(round_to(base.crop_size * factor[1], crop_multiple), base.crop_size)
    return Shape(cost_factor(base, num_frames, crop_size), num_frames, crop_size)


def short_cycle(base: Shape, own: Shape, factors: Sequence[float], reference: str,
                crop_multiple: int = 1) -> Tuple[Shape, ...]:
    """The shapes of the short cycle inside a stage, the stage's own last.

    Args:
        base: The base config's shape.
        own: The stage's own shape.
        factors: ``short_cycle_factors``; empty for no short cycle.
        reference: ``'default'``: the factors apply to the base crop; ``'stage'``: to the stage's.
        crop_multiple: Crops come in multiples of it, but for the stage's own.
    """
    shapes = []
    for factor in factors:
        crop = factor * (base.crop_size if reference == 'default' else own.crop_size)
        crop_size = min(round_to(crop, crop_multiple), own.crop_size)
        repeat = max(1, int(round((own.crop_size / crop_size)**2)))
        shapes.append(Shape(own.batch_factor * repeat, own.num_frames, crop_size))
    return (*shapes, own)


def mean_batch_factor(shapes: Sequence[Shape]) -> float:
    """Mean batch factor of the shapes of a short cycle."""
    return sum(shape.batch_factor for shape in shapes) / len(shapes)


def average_batch_factor(base: Shape, own: Shape, exact_crop: float, factors: Sequence[float], reference: str,
                         crop_multiple: int = 1) -> float:
    """Mean batch factor over the short cycle of a stage, as the schedule counts it.

    The arguments are those of :func:`short_cycle`, and ``exact_crop``, the stage's crop before it was rounded
    to pixels: for this mean no crop of the short cycle is rounded (reference implementation,
    ``slowfast/utils/multigrid.py``), unless to multiples of more than one pixel, which is too far to be left out.
    """
    if crop_multiple > 1:
        return mean_batch_factor(short_cycle(base, own, factors, reference, crop_multiple))
    crops = [factor * (base.crop_size if reference == 'default' else own.crop_size) for factor in factors]
    numbers = [cost_factor(base, own.num_frames, min(crop, exact_crop)) for crop in crops]
    return sum(numbers + [own.batch_factor]) / (len(numbers) + 1)


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
