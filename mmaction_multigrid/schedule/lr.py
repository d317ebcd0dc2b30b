"""The learning rate, as a factor of the base config's, at any (fractional) epoch."""

from bisect import bisect_right
from dataclasses import dataclass
from math import cos, pi
from typing import List, Optional, Sequence, Tuple

CURVES = ('CosineAnnealingLR', 'PolyLR', 'ExponentialLR', 'LinearLR', 'ConstantLR')


@dataclass(frozen=True)
class LRCurve:
    """A base schedule without decay points, between two epochs of *base* training.

    Attributes:
        type (str): mmengine's name of the schedule: CosineAnnealingLR, PolyLR, ExponentialLR, LinearLR or
            ConstantLR.
        begin (float): Epoch at which it starts; the factor is its first value before.
        end (float): Epoch at which it stops; the factor stays as it is after.
        start (float): Factor at ``begin`` (LinearLR, ConstantLR).
        floor (float): Factor at ``end`` (CosineAnnealingLR, PolyLR, LinearLR, and ConstantLR past its end).
        rate (float): ``power`` of PolyLR, ``gamma`` of ExponentialLR.
    """
    type: str
    begin: float
    end: float
    start: float = 1.
    floor: float = 0.
    rate: float = 1.

    def __call__(self, epoch: float) -> float:
        """Factor at an epoch of base training."""
        share = min(max((epoch - self.begin) / (self.end - self.begin), 0.), 1.)
        if self.type == 'CosineAnnealingLR':
            return self.floor + (1 - self.floor) * (1 + cos(pi * share)) / 2
        if self.type == 'PolyLR':
            return self.floor + (1 - self.floor) * (1 - share)**self.rate
        if self.type == 'ExponentialLR':
            return self.rate**(share * (self.end - self.begin))
        if self.type == 'LinearLR':
            return self.start + (self.floor - self.start) * share
        return self.start if share < 1 else self.floor


@dataclass(frozen=True)
class PiecewiseLR:
    """Factor of the base lr: a step function of the epoch, with a linear warm-up in front.

    Attributes:
        points (tuple): (epoch, factor from there on), rising in epoch from 0.
        warmup_epochs (float): Length of the warm-up; not stretched by multigrid.
        warmup_factor (float): Factor at epoch 0 of the warm-up.
        curves (tuple[LRCurve]): Base schedules whose factors multiply the step function's.
        clock (tuple): (epoch, epoch of base training) pairs between which ``curves`` are read; needed with them.
    """
    points: Tuple[Tuple[float, float], ...]
    warmup_epochs: float = 0.
    warmup_factor: float = 1.
    curves: Tuple[LRCurve, ...] = ()
    clock: Tuple[Tuple[float, float], ...] = ()

    def __call__(self, epoch: float) -> float:
        """Factor at a fractional epoch; linear up to the end of the warm-up, at which the schedule takes over."""
        if epoch >= self.warmup_epochs:
            return self.without_warmup(epoch)
        target = self.without_warmup(self.warmup_epochs)
        return self.warmup_factor + (target - self.warmup_factor) * epoch / self.warmup_epochs

    def without_warmup(self, epoch: float) -> float:
        """The factor that the schedule has at an epoch where no warm-up comes first."""
        factor = self.points[max(0, bisect_right([point[0] for point in self.points], epoch) - 1)][1]
        for curve in self.curves:
            factor *= curve(interpolate(self.clock, epoch))
        return factor


def interpolate(points: Sequence[Tuple[float, float]], x: float) -> float:
    """Piecewise linear interpolation through points that rise in x; constant outside of them."""
    i = bisect_right([point[0] for point in points], x)
    if i == 0 or i == len(points):
        return points[min(i, len(points) - 1)][1]
    (x0, y0), (x1, y1) = points[i - 1], points[i]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def step_points(pairs: Sequence[Tuple[int, float]], end: Optional[int] = None) -> List[Tuple[int, float]]:
    """Drop points that take effect at no epoch: of several at the same epoch all but the last, and those from
    ``end`` on."""
    points = dict(pairs)
    return [(epoch, points[epoch]) for epoch in sorted(points) if end is None or epoch < end]
