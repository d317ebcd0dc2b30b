"""The learning rate where base training's is more than steps."""

from copy import copy
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

from mmaction.registry import PARAM_SCHEDULERS
from ..core.lr import EpochSpan, MultigridLR, PiecewiseLR, last_points
from ..core.schedule import MultigridSchedule
from .base_lr import EPOCH_LENGTH, BaseCurve, BaseLR


@dataclass(frozen=True)
class CurveLR(PiecewiseLR):
    """Factor of the base lr where base training's is more than steps.

    Attributes:
        curve (callable): Factor of base training at an epoch of it.
        clock (tuple[EpochSpan]): Epochs in which the curve applies. In all
            others the factor is that of ``points``.
    """
    curve: Optional[Callable[[float], float]] = None
    clock: Tuple[EpochSpan, ...] = ()

    def changes(self, stages: Sequence) -> Sequence[Tuple[float, float]]:
        """List the factor at the start of each stage."""
        return [(stage.begin, self.without_warmup(stage.begin))
                for stage in stages]

    def without_warmup(self, epoch: float) -> float:
        """Compute the factor at an epoch as if there were no warm-up."""
        factor = super().without_warmup(epoch)
        spans = [span for span in self.clock if span.begin <= epoch]
        if not spans:
            return factor
        span = spans[-1]
        # A stage with a factor of its own follows the span.
        if epoch >= span.end and self.points[-1][0] >= span.end:
            return factor
        done = ((span.base_end - span.base_begin) *
                (min(epoch, span.end) - span.begin) / (span.end - span.begin))
        return factor * self.curve(span.base_begin + done)


@PARAM_SCHEDULERS.register_module()
class MultigridCurveLR(MultigridLR):
    """``MultigridLR`` whose factors multiply base training's lr.

    Args:
        optimizer (Optimizer or OptimWrapper): The optimizer.
        points (Sequence): (epoch, factor from there on), rising from epoch 0.
        base (dict): ``schedulers``, ``max_epochs`` and ``warmup`` of
            :class:`BaseLR`, and ``drop_last`` of base training's loader.
        clock (Sequence): (begin, end, begin, end) of spans of epochs, and of
            the epochs of base training that they stand for.
        **kwargs: As for ``MultigridLR``.
    """

    def __init__(self, optimizer, points: Sequence, base: Mapping,
                 clock: Sequence, **kwargs: Any) -> None:
        self.base = dict(base)
        self.clock = tuple(EpochSpan(*span) for span in clock)
        self._schedules: List[PiecewiseLR] = []
        self._epoch_length = EPOCH_LENGTH
        super().__init__(optimizer, points, **kwargs)

    @property
    def schedules(self) -> List[PiecewiseLR]:
        """list[PiecewiseLR]: The schedule of each parameter group."""
        if not self._schedules:
            config = dict(self.base)
            config.pop('drop_last', None)
            # A smallest lr is another share of each group's base lr.
            lrs = sorted(set(self.base_values))
            base = BaseLR(**config, lrs=lrs, epoch_length=self._epoch_length)
            by_lr = {
                lr: CurveLR(
                    self.points,
                    **self.warmup,
                    curve=_factor_of(base, lr, i),
                    clock=self.clock)
                for i, lr in enumerate(lrs)
            }
            self._schedules = [by_lr[lr] for lr in self.base_values]
        return self._schedules

    def follow(self, loop) -> None:
        """Take the epoch, and the length of base epochs, from a loop."""
        batches = loop.batch_sampler.num_clips / loop.batch_sampler.batch_size
        round_ = floor if self.base.get('drop_last', False) else ceil
        self._epoch_length, self._schedules = max(1, round_(batches)), []
        super().follow(loop)


def _factor_of(base: BaseLR, lr: float, i: int) -> Callable[[float], float]:
    return lambda epoch: base(epoch)[i] / lr if lr else 0.


def follow_curve(schedule: MultigridSchedule,
                 curve: BaseCurve) -> MultigridSchedule:
    """Return a schedule whose lr is base training's curve.

    It is read at the epoch of base training that an epoch stands for and
    multiplied by the factor for the stage's batch.
    """
    schedule = copy(schedule)
    points = [(span.begin, float(span.lr_factor)) for span in schedule.spans]
    schedule.lr = CurveLR(
        last_points(points, schedule.max_epochs),
        schedule.base.warmup_epochs,
        schedule.base.warmup_factor,
        curve=curve,
        clock=tuple(span for span in schedule.spans if not span.fixed))
    return schedule


def lr_config(schedule: MultigridSchedule, drop_last: bool) -> dict:
    """Write the lr of a schedule as the config of a scheduler.

    Args:
        schedule (MultigridSchedule): The schedule.
        drop_last (bool): ``drop_last`` of base training's data loader.
    """
    lr = schedule.lr
    config = dict(type='MultigridLR', points=list(lr.points))
    if lr.warmup_epochs:
        config.update(
            warmup_epochs=lr.warmup_epochs, warmup_factor=lr.warmup_factor)
    if lr.final:
        config['final'] = tuple(lr.final)
    if isinstance(lr, CurveLR) and lr.clock:
        config.update(
            type='MultigridCurveLR',
            base=dict(lr.curve.config, drop_last=drop_last),
            clock=[tuple(span[:4]) for span in lr.clock])
    return config
