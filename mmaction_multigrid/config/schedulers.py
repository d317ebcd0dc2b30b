"""What the ``param_scheduler`` of a stock config says about the learning rate."""

from math import isfinite
from numbers import Integral, Real
from typing import Any, Mapping, Optional

from ..schedule import LRCurve
from ..schedule.lr import CURVES
from .names import type_name


class _Scheduler:
    """A scheduler of the config, whose settings are checked as they are read."""

    def __init__(self, config: Any, max_epochs: int) -> None:
        if not isinstance(config, Mapping) or 'type' not in config:
            raise TypeError(f'param_scheduler holds {config!r}: must be a dict with a type')
        self.config = config
        self.kind = type_name(config['type'])
        if not config.get('by_epoch', True):
            raise ValueError(f'param_scheduler: {self.kind} counts iterations (by_epoch=False), whose number multigrid '
                             'changes; give its begin and end in epochs, with convert_to_iter_based=True')
        self.begin = self.number('begin', 0, low=0)
        self.end = min(self.number('end', max_epochs), max_epochs)
        if self.end <= self.begin:
            raise ValueError(f'param_scheduler: {self.kind}.begin = {self.begin!r}: must be before its end, {self.end}, '
                             f'and before the last of {max_epochs} epochs')

    def number(self, key: str, default: Any = None, low: float = float('-inf'), high: float = float('inf'),
               positive: bool = False) -> float:
        """A setting that is a number from ``low`` to ``high``, or above 0."""
        value = self.config.get(key, default)
        fine = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value) and low <= value <= high
        if not fine or (positive and value <= 0):
            allowed = ' above 0' if positive else f' of at least {low:g}' if isfinite(low) else ''
            allowed += f' and at most {high:g}' if isfinite(high) else ''
            raise ValueError(f'param_scheduler: {self.kind}.{key} = {value!r}: must be a number{allowed}')
        return value

    def milestones(self) -> tuple:
        """Epochs at which a step schedule decays."""
        if self.kind == 'StepLR':
            size = self.number('step_size', low=1)
            count = int((self.end - self.begin) // size)
            steps = [size * i for i in range(1, count + 1)]
        else:
            steps = self.config.get('milestones')
        if not isinstance(steps, (list, tuple)) or any(
                isinstance(step, bool) or not isinstance(step, Integral) for step in steps):
            raise ValueError(f'param_scheduler: {self.kind} decays at {steps!r}: must be a list of epochs, integers')
        epochs = sorted({int(self.begin) + int(step) for step in steps})
        return tuple(epoch for epoch in epochs if 0 < epoch < self.end)

    def curve(self, base_lr: Any) -> LRCurve:
        """A schedule without decay points."""
        period = self.number('T_max', positive=True) if self.config.get('T_max') is not None else self.end
        args = dict(type=self.kind, begin=float(self.begin), end=float(min(self.end, self.begin + period)))
        if self.kind in ('CosineAnnealingLR', 'PolyLR'):
            args.update(floor=self._floor(base_lr), rate=float(self.number('power', 1., positive=True)))
        elif self.kind == 'ExponentialLR':
            args.update(rate=float(self.number('gamma', positive=True)))
        elif self.kind == 'LinearLR':
            args.update(start=float(self.number('start_factor', 1 / 3, positive=True)),
                        floor=float(self.number('end_factor', 1., low=0)))
        else:
            args.update(start=float(self.number('factor', 1 / 3, positive=True)), floor=1.)
        return LRCurve(**args)

    def _floor(self, base_lr: Any) -> float:
        """Last factor of a schedule that goes down to a smallest lr."""
        if self.config.get('eta_min_ratio') is not None:
            return float(self.number('eta_min_ratio', low=0, high=1))
        eta_min = self.number('eta_min', 0., low=0) if self.config.get('eta_min') is not None else 0.
        if not eta_min:
            return 0.
        if isinstance(base_lr, bool) or not isinstance(base_lr, Real) or not isfinite(base_lr) or base_lr <= 0:
            raise ValueError(f'optim_wrapper.optimizer.lr = {base_lr!r}: must be a number above 0, which '
                             f'param_scheduler: {self.kind}.eta_min = {eta_min!r} is relative to')
        return float(eta_min / base_lr)


def read_lr(schedulers: Any, max_epochs: int, base_lr: Optional[float]) -> dict:
    """The lr part of :class:`BaseTraining`: decays, warm-up and curves.

    Args:
        schedulers: ``param_scheduler`` of the config: a dict, a list of them, or None for a constant lr.
        max_epochs: Epochs of base training.
        base_lr: The optimizer's lr, to which an ``eta_min`` is relative.

    Raises:
        TypeError, ValueError: A scheduler is none that multigrid can follow, or a setting of it is impossible.
    """
    result = dict(milestones=(), gamma=0.1, warmup_epochs=0., warmup_factor=1., curves=())
    if schedulers is None:
        return result
    if isinstance(schedulers, Mapping):
        if schedulers and 'type' not in schedulers:
            raise ValueError('param_scheduler is a dict of several optimizers: multigrid schedules one')
        schedulers = [schedulers] if schedulers else []
    if not isinstance(schedulers, (list, tuple)):
        raise TypeError(f'param_scheduler = {schedulers!r}: must be a list of dicts')
    for config in schedulers:
        scheduler = _Scheduler(config, max_epochs)
        if scheduler.kind in ('MultiStepLR', 'StepLR'):
            if result['milestones']:
                raise ValueError('param_scheduler: multigrid follows one step schedule, and this config has two')
            result.update(milestones=scheduler.milestones(), gamma=scheduler.number('gamma', 0.1, positive=True))
        elif scheduler.kind == 'LinearLR' and scheduler.begin == 0 and scheduler.config.get('end_factor', 1.) == 1.:
            result.update(warmup_epochs=float(scheduler.end),
                          warmup_factor=float(scheduler.number('start_factor', 1 / 3, positive=True)))
        elif scheduler.kind in CURVES:
            result['curves'] += (scheduler.curve(base_lr), )
        else:
            raise ValueError(f'param_scheduler: multigrid cannot follow {scheduler.kind}; it can follow MultiStepLR, '
                             f'StepLR, {", ".join(CURVES)}')
    return result
