"""The learning rate as a function of the fractional epoch."""

from dataclasses import asdict
from typing import Callable, List, Optional, Sequence, Tuple

from mmaction.registry import PARAM_SCHEDULERS
from mmengine.optim import _ParamScheduler

from ..schedule import LRCurve, PiecewiseLR


@PARAM_SCHEDULERS.register_module()
class MultigridLR(_ParamScheduler):
    """Sets the lr of each parameter group to its base lr times the schedule's factor.

    The factor depends on the epoch alone, so that resuming needs no state. ``MultigridHook`` connects the
    scheduler to the loop's clock, since iterations say nothing about epochs here.

    Args:
        optimizer (Optimizer or OptimWrapper): The optimizer.
        points (Sequence): (epoch, factor of the base lr from there on), rising in epoch from 0.
        warmup_epochs (float): Length of the linear warm-up. Defaults to 0.
        warmup_factor (float): Factor at its start. Defaults to 1.
        curves (Sequence[dict]): Base schedules without decay points that multiply the factors, as the arguments
            of ``LRCurve``. Defaults to none.
        clock (Sequence): (epoch, epoch of base training) pairs between which the curves are read.
        last_step (int): Index of the last iteration. Defaults to -1.
        **ignored: ``begin``, ``end``, ``by_epoch`` and ``verbose``, which the Runner may add.

    Raises:
        ValueError: The points do not rise from epoch 0, or curves have no clock.
    """

    def __init__(self,
                 optimizer,
                 points: Sequence[Tuple[int, float]],
                 warmup_epochs: float = 0.,
                 warmup_factor: float = 1.,
                 curves: Sequence[dict] = (),
                 clock: Sequence[Tuple[float, float]] = (),
                 last_step: int = -1,
                 **ignored) -> None:
        points = tuple(tuple(point) for point in points)
        epochs = [epoch for epoch, _ in points]
        if not points or epochs[0] != 0 or any(b <= a for a, b in zip(epochs, epochs[1:])):
            raise ValueError(f'points = {points!r}: must be (epoch, factor) pairs that rise in epoch from 0')
        if curves and not clock:
            raise ValueError('clock: must be given beside curves')
        self.schedule = PiecewiseLR(points, warmup_epochs, warmup_factor, tuple(LRCurve(**c) for c in curves),
                                    tuple(tuple(pair) for pair in clock))
        self._epoch_at: Optional[Callable[[int], float]] = None
        super().__init__(optimizer, 'lr', last_step=last_step, by_epoch=False)

    @property
    def settings(self) -> dict:
        """The constructor's arguments that make the schedule, as plain values."""
        schedule = self.schedule
        return dict(points=schedule.points, warmup_epochs=schedule.warmup_epochs, warmup_factor=schedule.warmup_factor,
                    curves=[asdict(curve) for curve in schedule.curves], clock=schedule.clock)

    def follow(self, epoch_at: Callable[[int], float], iteration: int) -> None:
        """Follow a clock from an iteration on, and set the lr for it.

        Args:
            epoch_at: From iteration to fractional epoch.
            iteration: The iteration that comes next.
        """
        self._epoch_at = epoch_at
        self._global_step = self.last_step = iteration
        self._set_values()

    def step(self) -> None:
        """Go to the next iteration.

        Raises:
            RuntimeError: Nobody called :meth:`follow`.
        """
        if self._epoch_at is None and self.last_step >= 0:
            raise RuntimeError("MultigridLR has no clock: add dict(type='MultigridHook') to custom_hooks")
        self._global_step += 1
        self.last_step += 1
        self._set_values()

    def _set_values(self) -> None:
        for group, value in zip(self.optimizer.param_groups, self._get_value()):
            group[self.param_name] = value
        self._last_value = [group[self.param_name] for group in self.optimizer.param_groups]

    def _get_value(self) -> List[float]:
        epoch = self._epoch_at(self.last_step) if self._epoch_at else 0.
        factor = self.schedule(epoch)
        return [value * factor for value in self.base_values]

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over the position and nothing else: the rest is the config's, the base lr scaled to this run's batch."""
        self.last_step = self._global_step = state_dict['last_step']

    def state_dict(self) -> dict:
        """Plain numbers only: the rest follows from the config."""
        return {key: self.__dict__[key] for key in ('last_step', '_global_step', '_last_value', 'base_values')}
