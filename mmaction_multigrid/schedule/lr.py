"""The learning rate, as a factor of the base config's, at any (fractional) epoch."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple


class Span(NamedTuple):
    """Epochs ``begin`` to ``end`` of training, which stand for ``base_begin`` to ``base_end`` of base training."""
    begin: float
    end: float
    base_begin: float
    base_end: float

    def base_epoch(self, epoch: float) -> float:
        """The epoch of base training that an epoch stands for."""
        return self.base_begin + (self.base_end - self.base_begin) * (epoch - self.begin) / (self.end - self.begin)

    def epoch(self, base_epoch: float) -> float:
        """The epoch that stands for one of base training; the reverse of :meth:`base_epoch`."""
        share = (base_epoch - self.base_begin) / (self.base_end - self.base_begin)
        return self.begin + (self.end - self.begin) * share


@dataclass(frozen=True)
class PiecewiseLR:
    """Factor of the base lr: a step function of the epoch, with a linear warm-up in front.

    Attributes:
        points (tuple): (epoch, factor from there on), rising in epoch from 0.
        warmup_epochs (float): Length of the warm-up; not stretched by multigrid.
        warmup_factor (float): Factor at epoch 0 of the warm-up.
        curve (callable, optional): Factor of base training's lr at an epoch of base training, by which the step
            function's is multiplied inside of ``clock``.
        clock (tuple[Span]): In which epochs ``curve`` is read, and where.
    """
    points: Tuple[Tuple[float, float], ...]
    warmup_epochs: float = 0.
    warmup_factor: float = 1.
    curve: Optional[Callable[[float], float]] = None
    clock: Tuple[Span, ...] = ()

    def __call__(self, epoch: float) -> float:
        """Factor at a fractional epoch; linear up to the end of the warm-up, at which the schedule takes over."""
        if epoch >= self.warmup_epochs:
            return self.without_warmup(epoch)
        target = self.without_warmup(self.warmup_epochs)
        return self.warmup_factor + (target - self.warmup_factor) * epoch / self.warmup_epochs

    def without_warmup(self, epoch: float) -> float:
        """The factor that the schedule has at an epoch where no warm-up comes first; its last one after its end."""
        factor = self.points[max(0, bisect_right([point[0] for point in self.points], epoch) - 1)][1]
        i = bisect_right([span.begin for span in self.clock], epoch) - 1
        if self.curve is None or i < 0:
            return factor
        span = self.clock[i]
        if epoch >= span.end and self.points[-1][0] >= span.end:  # a stage with a factor of its own
            return factor
        return factor * self.curve(span.base_epoch(min(epoch, span.end)))


def step_points(pairs: Sequence[Tuple[float, float]], end: Optional[int] = None) -> List[Tuple[float, float]]:
    """Drop points that take effect at no epoch: of several at the same epoch all but the last, and those from
    ``end`` on."""
    points = dict(pairs)
    return [(epoch, points[epoch]) for epoch in sorted(points) if end is None or epoch < end]
