"""The learning rate as a function of the fractional epoch."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from mmengine.optim import _ParamScheduler

from mmaction.registry import PARAM_SCHEDULERS

# The lr follows the batch factor to this power.
LR_EXPONENTS = dict(linear=1., sqrt=0.5, none=0.)


def scale_lr(batch_factor: int, rule: Optional[str]) -> float:
    """Compute the factor of the lr for a batch factor.

    Args:
        batch_factor (int): The batch factor.
        rule (str, optional): One of ``LR_EXPONENTS``. None is ``'linear'``.
    """
    return batch_factor**LR_EXPONENTS[rule or 'linear']


class EpochSpan(NamedTuple):
    """Epochs of a stage, and the corresponding epochs of base training.

    Attributes:
        begin (float): First epoch.
        end (float): First epoch after the span.
        base_begin (float): Epoch of base training at ``begin``.
        base_end (float): Epoch of base training at ``end``.
        lr_factor (float): Factor of base training's lr at these epochs.
            Defaults to 1.
        fixed (bool): Whether the user set the factor, which then multiplies
            the base lr instead. Defaults to False.
    """
    begin: float
    end: float
    base_begin: float
    base_end: float
    lr_factor: float = 1.
    fixed: bool = False

    def epoch(self, base_epoch: float) -> float:
        """Map an epoch of base training to one of multigrid training."""
        return self.begin + (self.end - self.begin) * (
            (base_epoch - self.base_begin) / (self.base_end - self.base_begin))


def last_points(points: Sequence[Tuple[float, float]],
                end: Optional[float] = None) -> Tuple[tuple, ...]:
    """Sort points by epoch, and keep the last one of each epoch.

    Args:
        points (Sequence): (epoch, value) pairs.
        end (float, optional): Drop points from this epoch on.
    """
    found = dict(points)
    return tuple((epoch, found[epoch]) for epoch in sorted(found)
                 if end is None or epoch < end)


@dataclass(frozen=True)
class PiecewiseLR:
    """Factor of the base lr: steps after a linear warm-up.

    Attributes:
        points (tuple): (epoch, factor from there on), rising from epoch 0.
        warmup_epochs (float): Length of the warm-up in epochs, which
            multigrid does not stretch. Defaults to 0.
        warmup_factor (float): Factor at epoch 0. Defaults to 1.
        final (tuple, optional): (epoch, factor) to which the factor changes
            linearly from the last point on. Defaults to None, which means
            that the factor of the last point stays.
    """
    points: Tuple[Tuple[float, float], ...]
    warmup_epochs: float = 0.
    warmup_factor: float = 1.
    final: Optional[Tuple[float, float]] = None

    def __call__(self, epoch: float) -> float:
        """Compute the factor at a fractional epoch."""
        if epoch >= self.warmup_epochs:
            return self.without_warmup(epoch)
        # The warm-up rises to the lr that holds at its end.
        target = self.without_warmup(self.warmup_epochs)
        rise = (target - self.warmup_factor) * epoch / self.warmup_epochs
        return self.warmup_factor + rise

    def changes(self, stages: Sequence) -> Sequence[Tuple[float, float]]:
        """List (epoch, factor from there on), without the warm-up."""
        if self.final is None:
            return self.points
        # The lr falls within an epoch as well; once per epoch is enough to
        # print.
        epochs = range(int(self.points[-1][0]) + 1, int(self.final[0]))
        return [*self.points, *((epoch, self(epoch)) for epoch in epochs)]

    def without_warmup(self, epoch: float) -> float:
        """Compute the factor at an epoch as if there were no warm-up."""
        # Points at this epoch count already: a factor holds from there on.
        i = bisect_right([point[0] for point in self.points], epoch)
        begin, factor = self.points[max(0, i - 1)]
        if self.final is None or i < len(self.points):
            return factor
        end, target = self.final
        return factor + (target - factor) * min(1., (epoch - begin) /
                                                (end - begin))


@PARAM_SCHEDULERS.register_module()
class MultigridLR(_ParamScheduler):
    """Set each lr to its base lr times the factor of a schedule.

    The factor depends on the epoch alone, so that resuming needs no state.
    ``MultigridTrainLoop`` provides the epoch, because the number of
    iterations per epoch changes.

    Args:
        optimizer (Optimizer or OptimWrapper): The optimizer.
        points (Sequence): (epoch, factor of the base lr from there on),
            rising from epoch 0.
        warmup_epochs (float): Length of the linear warm-up. Defaults to 0.
        warmup_factor (float): Factor at its start. Defaults to 1.
        final (tuple, optional): (epoch, factor) to which the factor changes
            linearly from the last point on. Defaults to None.
        end (int, optional): Unused. The Runner passes it to all schedulers.
        last_step (int): Index of the last iteration. Defaults to -1.

    Raises:
        ValueError: The points do not rise from epoch 0.
    """

    def __init__(self,
                 optimizer,
                 points: Sequence[Tuple[float, float]],
                 warmup_epochs: float = 0.,
                 warmup_factor: float = 1.,
                 final: Optional[Tuple[float, float]] = None,
                 end: Optional[int] = None,
                 last_step: int = -1) -> None:
        points = tuple(tuple(point) for point in points)
        epochs = [epoch for epoch, _ in points]
        if not points or epochs[0] != 0 or any(
                b <= a for a, b in zip(epochs, epochs[1:])):
            raise ValueError(f'points = {points!r}: must be (epoch, factor) '
                             'pairs that rise in epoch from 0')
        self.points = points
        self.warmup = dict(
            warmup_epochs=warmup_epochs, warmup_factor=warmup_factor)
        self.final = final and tuple(final)
        self._epoch_at: Optional[Callable[[int], float]] = None
        super().__init__(optimizer, 'lr', last_step=last_step, by_epoch=False)

    @cached_property
    def schedules(self) -> List[PiecewiseLR]:
        """list[PiecewiseLR]: The schedule of each parameter group."""
        schedule = PiecewiseLR(self.points, **self.warmup, final=self.final)
        return [schedule] * len(self.base_values)

    def follow(self, loop) -> None:
        """Take the epoch from a train loop and set the lr for its iteration.

        Args:
            loop (MultigridTrainLoop): The loop.
        """
        self._epoch_at = loop.epoch_at
        # The loop counts iterations by its own batch size, and a checkpoint
        # of another batch size counts them differently.
        self._global_step = self.last_step = loop.iter
        self._set_values()

    def step(self) -> None:
        """Go to the next iteration.

        Raises:
            RuntimeError: No loop provides the epoch.
        """
        # _ParamScheduler.__init__ calls step() once, before there is a loop.
        if self._epoch_at is None and self.last_step >= 0:
            raise RuntimeError('MultigridLR needs train_cfg.type = '
                               "'MultigridTrainLoop', which sets the epoch")
        self._global_step += 1
        self.last_step += 1
        self._set_values()

    def _set_values(self) -> None:
        self._last_value = self._get_value()
        for group, value in zip(self.optimizer.param_groups, self._last_value):
            group[self.param_name] = value

    def _get_value(self) -> List[float]:
        epoch = self._epoch_at(self.last_step) if self._epoch_at else 0.
        return [
            value * schedule(epoch)
            for value, schedule in zip(self.base_values, self.schedules)
        ]

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the position only; the rest follows from the config."""
        # A resume may change the lr of the optimizer and of later stages.
        self.last_step = self._global_step = state_dict['last_step']

    def state_dict(self) -> dict:
        """Return the position and the current lr as plain numbers."""
        # torch's weights_only refuses the functions that mmengine would add.
        names = ('last_step', '_global_step', '_last_value', 'base_values')
        return {name: getattr(self, name) for name in names}
