"""The learning rate of the base config, as mmengine's schedulers set it."""

from array import array
from math import isfinite
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import torch
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin

from mmaction.registry import PARAM_SCHEDULERS
from ..core.transform_rules import type_name
from .sections import is_number

STEPS = ('MultiStepLR', 'StepLR')
# Longest schedule that is evaluated epoch by epoch.
MAX_EPOCHS = 10**6
# Iterations of an epoch where the number is unknown, to look at a schedule.
EPOCH_LENGTH = 50
# Epochs are sums of fractions: a tolerance in iterations.
EPS = 1e-6


class _LRHistory:
    """Step mmengine's schedulers as a Runner does and keep every lr."""

    def __init__(self, schedulers: Sequence[dict], lrs: Sequence[float],
                 epoch_length: int) -> None:
        groups = [
            dict(params=[torch.nn.Parameter(torch.zeros(()))], lr=lr)
            for lr in lrs
        ]
        self.optimizer = torch.optim.SGD(groups, lr=1.)
        self.schedulers = [
            PARAM_SCHEDULERS.build(
                dict(config),
                default_args=dict(
                    optimizer=self.optimizer, epoch_length=epoch_length))
            for config in schedulers
        ]
        self.optimizer.step()  # else the schedulers warn
        self.epoch_length = epoch_length
        self.count = 0
        self.values = [array('d') for _ in lrs]
        self._append()

    def _append(self) -> None:
        self.count += 1
        for values, group in zip(self.values, self.optimizer.param_groups):
            values.append(group['lr'])

    def at(self, iteration: int) -> List[float]:
        """Return the lr of each parameter group at an iteration."""
        while self.count <= iteration:
            epoch_ends = self.count % self.epoch_length == 0
            # Those that count iterations come first, as in the Runner's hook.
            for by_epoch in (False, True)[:1 + epoch_ends]:
                for scheduler in self.schedulers:
                    if scheduler.by_epoch == by_epoch:
                        scheduler.step()
            self._append()
        return [values[iteration] for values in self.values]


class BaseLR:
    """Learning rate of base training at any epoch.

    The warm-up is left out before its end, because multigrid has its own.

    Args:
        schedulers (Sequence[dict]): ``param_scheduler`` of the base config.
        max_epochs (int): Epochs of base training.
        lrs (Sequence[float]): Base lr of each parameter group.
        epoch_length (int): Iterations of an epoch of base training. Defaults
            to 50.
        warmup (int, optional): Index of the warm-up's scheduler. Defaults to
            None, which means no warm-up.

    Raises:
        Exception: mmengine refuses a scheduler.
    """

    def __init__(self,
                 schedulers: Sequence[dict],
                 max_epochs: int,
                 lrs: Sequence[float],
                 epoch_length: int = EPOCH_LENGTH,
                 warmup: Optional[int] = None) -> None:
        self.max_epochs, self.epoch_length = max_epochs, epoch_length
        # The Runner sets the end of schedulers that have none.
        schedulers = [{'end': max_epochs, **config} for config in schedulers]
        self._lr = self._before = _LRHistory(schedulers, lrs, epoch_length)
        self._warmup_end = 0.
        if warmup is not None:
            self._warmup_end = schedulers.pop(warmup)['end']
            self._before = _LRHistory(schedulers, lrs, epoch_length)

    def __call__(self, epoch: float) -> List[float]:
        """Return the lr of each parameter group at a fractional epoch."""
        iteration = int(epoch * self.epoch_length + EPS)
        last = self.max_epochs * self.epoch_length - 1
        in_warmup = epoch + EPS < self._warmup_end
        history = self._before if in_warmup else self._lr
        return history.at(max(0, min(iteration, last)))


class BaseCurve:
    """Factor of base training's lr at a fractional epoch of it.

    Args:
        schedulers (list[dict]): The schedulers.
        max_epochs (int): Epochs of base training.
        base_lr (float): The lr that the factor relates to.
        warmup (int, optional): Index of the warm-up's scheduler.
        epoch_length (int): Iterations of an epoch. Defaults to 50.

    Attributes:
        config (dict): ``base`` of :class:`MultigridCurveLR`.
    """

    def __init__(self,
                 schedulers: List[dict],
                 max_epochs: int,
                 base_lr: float,
                 warmup: Optional[int],
                 epoch_length: int = EPOCH_LENGTH) -> None:
        self.config = dict(
            schedulers=schedulers, max_epochs=max_epochs, warmup=warmup)
        self._lr = BaseLR(
            lrs=[base_lr], epoch_length=epoch_length, **self.config)
        self._base_lr = base_lr

    def __call__(self, epoch: float) -> float:
        return self._lr(epoch)[0] / self._base_lr


def _check_scheduler(config: Any, max_epochs: int) -> dict:
    """Check a scheduler, and name its type in the place of a class.

    Raises:
        TypeError, ValueError: It is no scheduler of the lr by epochs.
    """
    if not isinstance(config, Mapping) or 'type' not in config:
        raise TypeError(
            f'param_scheduler holds {config!r}: must be a dict with a type')
    kind, found = type_name(config['type']), config['type']
    if not isinstance(found, type):
        found = PARAM_SCHEDULERS.get(str(found))
    if (not isinstance(found, type) or not issubclass(found, LRSchedulerMixin)
            or kind == 'ReduceOnPlateauLR'):
        raise ValueError('param_scheduler: multigrid cannot follow '
                         f'{kind}; it can follow the schedulers of the '
                         'lr that mmengine has, but ReduceOnPlateauLR, '
                         'and those that are derived from them')
    if not config.get('by_epoch', True):
        raise ValueError(f'param_scheduler: {kind} counts iterations '
                         '(by_epoch=False), whose number multigrid '
                         'changes; give its begin and end in epochs, '
                         'with convert_to_iter_based=True')
    for key in ('begin', 'end'):
        value = config.get(key, 0)
        if not is_number(value) or value < 0:
            raise ValueError(f'param_scheduler: {kind}.{key} = '
                             f'{value!r}: must be a number of epochs')
    begin, end = config.get('begin', 0), config.get('end', max_epochs)
    if begin >= end:
        raise ValueError(f'param_scheduler: {kind}.begin = {begin!r}: '
                         f'must be before its end, {end!r}')
    known = PARAM_SCHEDULERS.get(kind) is found
    return {**config, 'type': kind if known else config['type']}


def _is_warmup(config: Mapping) -> bool:
    return (config['type'] == 'LinearLR' and config.get('begin', 0) == 0
            and config.get('end_factor', 1.) == 1.)


def _evaluate(schedulers: List[dict], max_epochs: int, base_lr: float,
              warmup: Optional[int],
              epoch_length: int) -> Tuple[BaseCurve, List[float]]:
    """Return the lr, and its factor at the start of every epoch.

    Raises:
        ValueError: mmengine refuses a scheduler, or the lr becomes negative
            or no number.
    """
    where = f'param_scheduler = {schedulers!r}:'
    try:
        curve = BaseCurve(schedulers, max_epochs, base_lr, warmup,
                          epoch_length)
        factors = [curve(epoch) for epoch in range(max_epochs)]
    except Exception as error:  # of mmengine or of Python's arithmetic
        raise ValueError(f'{where} mmengine cannot follow it: '
                         f'{type(error).__name__}: {error}') from error
    for epoch, factor in enumerate(factors):
        # Some of mmengine's formulas miss zero by a rounding error.
        if not isfinite(factor) or factor < -1e-9:
            raise ValueError(
                f'{where} the lr is {factor * base_lr!r} at epoch {epoch}; it '
                'must be a number of at least 0')
    return curve, factors


def _check_lr(schedulers: List[dict], base_lr: Any) -> float:
    """Check the optimizer's lr, which it may leave out without ``eta_min``.

    Raises:
        ValueError: It is impossible.
    """
    if base_lr is None and not any(
            config.get('eta_min') for config in schedulers):
        return 1.
    if not is_number(base_lr) or base_lr <= 0:
        raise ValueError('optim_wrapper.optimizer.lr = '
                         f'{base_lr!r}: must be a number above 0')
    return float(base_lr)


def read_lr(schedulers: Any, max_epochs: int,
            base_lr: Optional[float]) -> Tuple[dict, Optional[BaseCurve]]:
    """Read the lr of a base config.

    Args:
        schedulers: ``param_scheduler``: a dict, a list of them, or None for
            a constant lr.
        max_epochs (int): Epochs of base training.
        base_lr (float, optional): The optimizer's lr.

    Returns:
        tuple: Milestones, decays and warm-up of :class:`BaseTraining`, and
        the curve of an lr that is more than steps.

    Raises:
        TypeError, ValueError: Multigrid cannot follow a scheduler, or a
            setting of it is impossible.
    """
    if isinstance(schedulers, Mapping):
        if schedulers and 'type' not in schedulers:
            raise ValueError('param_scheduler is a dict of several '
                             'optimizers: multigrid schedules one')
        schedulers = [schedulers] if schedulers else []
    if schedulers is not None and not isinstance(schedulers, (list, tuple)):
        raise TypeError(
            f'param_scheduler = {schedulers!r}: must be a list of dicts')
    schedulers = [
        _check_scheduler(config, max_epochs) for config in schedulers or []
    ]
    if not schedulers:
        return {}, None
    if max_epochs > MAX_EPOCHS:
        raise ValueError(f'train_cfg.max_epochs = {max_epochs}: '
                         f'must be at most {MAX_EPOCHS}')
    base_lr = _check_lr(schedulers, base_lr)
    warmup = next(
        (i for i, config in enumerate(schedulers) if _is_warmup(config)), None)
    found = {} if warmup is None else _read_warmup(schedulers[warmup],
                                                   max_epochs)
    others = [config for i, config in enumerate(schedulers) if i != warmup]
    steps = [{
        **config, 'convert_to_iter_based': False
    } for config in others if config['type'] in STEPS]
    first, milestones = _read_steps(steps, max_epochs)
    found.update(
        milestones=tuple(milestones), gamma=tuple(milestones.values()))
    if len(steps) == len(others) and first == 1.:
        return found, None
    return found, _evaluate(schedulers, max_epochs, base_lr, warmup,
                            EPOCH_LENGTH)[0]


def _read_warmup(config: Mapping, max_epochs: int) -> dict:
    factor = config.get('start_factor', 1 / 3)
    if not is_number(factor) or not 0 < factor <= 1:
        raise ValueError(f'param_scheduler: LinearLR.start_factor = '
                         f'{factor!r}: must be a number above 0 and at most 1')
    return dict(
        warmup_epochs=float(config.get('end', max_epochs)),
        warmup_factor=float(factor))


def _read_steps(steps: List[dict], max_epochs: int) -> Tuple[float, dict]:
    """Return the first factor, and the factor after each epoch of a decay."""
    if not steps:
        return 1., {}
    _, factors = _evaluate(steps, max_epochs, 1., None, 1)
    return factors[0], {
        epoch: factor
        for epoch, (before, factor) in enumerate(zip(factors, factors[1:]), 1)
        if factor != before
    }
