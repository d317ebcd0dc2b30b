"""Clip shapes of equal cost per batch."""

from dataclasses import dataclass
from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple


class Shape(NamedTuple):
    """One shape of a schedule.

    Attributes:
        batch_factor (int): Clips in a batch, relative to the base batch.
        num_frames (int): Frames in a clip.
        crop_size (int): Side of the square crop, in pixels.
    """
    batch_factor: int
    num_frames: int
    crop_size: int


def round_to(value: float, multiple: int) -> int:
    """Round to the nearest multiple that is above 0."""
    return multiple * max(1, int(round(value / multiple)))


def mean_batch_factor(shapes: Sequence[Shape]) -> float:
    """Average the batch factors of a short cycle."""
    return sum(shape.batch_factor for shape in shapes) / len(shapes)


def frame_interval_range(frame_interval: int, base_frames: int,
                         num_frames: int) -> Tuple[int, int]:
    """Compute the frame intervals that a clip draws from.

    The longest interval keeps the time span of the base clip (paper,
    section 3.3).

    Args:
        frame_interval (int): Frame interval of the base clip.
        base_frames (int): Frames of the base clip.
        num_frames (int): Frames of the clip.

    Returns:
        tuple[int, int]: The smallest and the largest interval, inclusive.
    """
    # Fewer frames cover the same time with a longer interval.
    longest = frame_interval * max(1, base_frames // num_frames)
    return frame_interval, longest


@dataclass(frozen=True)
class ShapeGrid:
    """All coarser shapes of a base shape.

    Attributes:
        base (Shape): The base config's shape.
        short_factors (tuple[float]): Crops of the short cycle relative to
            the reference crop. Empty without a short cycle.
        reference (str): ``'default'``: the reference crop is the base crop;
            ``'stage'``: it is the stage's crop.
        frame_multiple (int): Frames are multiples of this number.
        crop_multiple (int): Crops are multiples of this number, except for
            the base crop and crops that a user sets.
        batch_factors (mapping, optional): Batch factor by (frames, crop).
            Defaults to None, which means batches of equal cost.
    """
    base: Shape
    short_factors: Tuple[float, ...] = ()
    reference: str = 'default'
    frame_multiple: int = 1
    crop_multiple: int = 1
    batch_factors: Optional[Mapping[Tuple[int, int], int]] = None

    def cost_factor(self, num_frames: float, crop_size: float) -> int:
        """Count clips that cost as much as one base clip, at least 1."""
        # The order of operations is the reference's: roundings depend on it.
        cost = self.base.num_frames * self.base.crop_size * self.base.crop_size
        clip_cost = num_frames * crop_size * crop_size
        return max(1, int(round(float(cost) / clip_cost)))

    def batch_factor(self, num_frames: int, crop_size: int) -> int:
        """Return the listed batch factor, or else the one of equal cost.

        Raises:
            ValueError: The shape is missing in ``batch_factors``.
        """
        if self.batch_factors is None:
            return self.cost_factor(num_frames, crop_size)
        if (num_frames, crop_size) not in self.batch_factors:
            known = ', '.join(f'{frames} x {crop}'
                              for frames, crop in sorted(self.batch_factors))
            raise ValueError(
                f'multigrid.batch_factors: {num_frames} frames x {crop_size} '
                f'pixels are missing beside {known}; add them')
        return self.batch_factors[num_frames, crop_size]

    def scale(self, factors: Tuple[float, float]) -> Shape:
        """Scale the base shape by (frames, crop) factors."""
        num_frames = round_to(self.base.num_frames * factors[0],
                              self.frame_multiple)
        crop_size = min(
            round_to(self.base.crop_size * factors[1], self.crop_multiple),
            self.base.crop_size)
        return Shape(
            self.batch_factor(num_frames, crop_size), num_frames, crop_size)

    def short_cycle(self,
                    stage_shape: Shape,
                    reference: Optional[str] = None) -> Tuple[Shape, ...]:
        """List the short cycle's shapes in a stage, the stage's own last."""
        shapes = []
        num_frames = stage_shape.num_frames
        for crop in self._short_crops(stage_shape, reference):
            # A short-cycle crop may exceed that of a coarse stage.
            crop_size = min(
                round_to(crop, self.crop_multiple), stage_shape.crop_size)
            if self.batch_factors is None:
                # Relative to the stage's batch, which is rounded already: the
                # reference rounds twice.
                ratio = (stage_shape.crop_size / crop_size)**2
                factor = stage_shape.batch_factor * max(1, int(round(ratio)))
            else:
                factor = self.batch_factor(num_frames, crop_size)
            shapes.append(Shape(factor, num_frames, crop_size))
        return (*shapes, stage_shape)

    def average_batch_factor(self,
                             stage_shape: Shape,
                             exact_crop: float,
                             reference: Optional[str] = None) -> float:
        """Average the batch factor over a short cycle, for stage lengths.

        As in the reference implementation (``slowfast/utils/multigrid.py``),
        neither the short cycle's crops nor ``exact_crop``, the stage's crop,
        are rounded here. Crops that are multiples of several pixels and listed
        batch factors are too far from that and count as they are.
        """
        if self.crop_multiple > 1 or self.batch_factors is not None:
            return mean_batch_factor(self.short_cycle(stage_shape, reference))
        factors = [
            self.cost_factor(stage_shape.num_frames, min(crop, exact_crop))
            for crop in self._short_crops(stage_shape, reference)
        ]
        return sum(factors + [stage_shape.batch_factor]) / (len(factors) + 1)

    def _short_crops(self, stage_shape: Shape,
                     reference: Optional[str]) -> List[float]:
        default = (reference or self.reference) == 'default'
        of = self.base if default else stage_shape
        return [factor * of.crop_size for factor in self.short_factors]
