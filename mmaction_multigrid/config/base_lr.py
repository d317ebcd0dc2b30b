"""The learning rate of the base config, and a scheduler that follows it."""

from array import array
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count
from math import ceil, floor, isfinite
from typing import (Any, Callable, Iterator, List, Mapping, Optional, Sequence,
                    Tuple)

import torch
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin

from mmaction.registry import PARAM_SCHEDULERS
from ..core.lr import EpochSpan, MultigridLR, PiecewiseLR, last_points
from ..core.schedule import MultigridSchedule
from ..core.transform_rules import type_name
from .settings import is_number

STEPS = ('MultiStepLR', 'StepLR')
# Iterations per epoch before a data loader gives the actual number.
EPOCH_LENGTH = 50
# Tolerance in iterations, because epochs are sums of fractions.
EPS = 1e-6


def _step_through(schedulers: Sequence[dict], lrs: Sequence[float],
                  epoch_length: int) -> Iterator[List[float]]:
    """Yield the lr of each parameter group at every iteration of a Runner."""
    groups = [
        dict(params=[torch.nn.Parameter(torch.zeros(()))], lr=lr) for lr in lrs
    ]
    optimizer = torch.optim.SGD(groups, lr=1.)
    built = [
        PARAM_SCHEDULERS.build(
            dict(config),
            default_args=dict(optimizer=optimizer, epoch_length=epoch_length))
        for config in schedulers
    ]
    optimizer.step()  # schedulers warn if they step first
    for done in count(1):
        yield [group['lr'] for group in optimizer.param_groups]
        # Those that count iterations come first, as in the Runner's hook.
        for by_epoch in (False, True)[:1 + (done % epoch_length == 0)]:
            for scheduler in built:
                if scheduler.by_epoch == by_epoch:
                    scheduler.step()


class BaseLR:
    """Factor of the base lr at any epoch of base training.

    The warm-up is left out before its end, because multigrid has its own.

    Args:
        schedulers (Sequence[dict]): ``param_scheduler`` of the base config.
        max_epochs (int): Epochs of base training.
        warmup (int, optional): Index of the warm-up's scheduler, if any.
        lrs (Sequence[float]): Base lr of each parameter group.
        epoch_length (int): Iterations of its epochs. Defaults to 50.
    """

    def __init__(self,
                 schedulers: Sequence[dict],
                 max_epochs: int,
                 warmup: Optional[int],
                 lrs: Sequence[float],
                 epoch_length: int = EPOCH_LENGTH) -> None:
        self.config = dict(
            schedulers=schedulers, max_epochs=max_epochs, warmup=warmup)
        self.lrs, self.epoch_length = lrs, epoch_length
        # The Runner sets the end of schedulers that have none.
        whole = [{'end': max_epochs, **config} for config in schedulers]
        rest = [config for i, config in enumerate(whole) if i != warmup]
        self._warmup_end = 0. if warmup is None else whole[warmup]['end']
        self._last = max_epochs * epoch_length - 1
        # With the warm-up, and without it for epochs before its end: the lrs
        # so far, of all groups in turn, and an iterator over later ones.
        self._histories = [(array('d'), _step_through(part, lrs, epoch_length))
                           for part in (whole, rest)]

    def __call__(self, epoch: float, group: int = 0) -> float:
        """Return the factor of a group at a fractional epoch."""
        values, following = self._histories[epoch + EPS < self._warmup_end]
        iteration = min(int(epoch * self.epoch_length + EPS), self._last)
        i = max(0, iteration) * len(self.lrs) + group
        while len(values) <= i:
            values.extend(next(following))
        return values[i] / self.lrs[group] if self.lrs[group] else 0.


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
        span = next((s for s in self.clock[::-1] if s.begin <= epoch), None)
        # No span contains a stage whose factor the user set.
        if span is None or self.points[-1][0] >= span.end <= epoch:
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
        clock (Sequence): (begin, end, base begin, base end) of spans of
            epochs and of the corresponding epochs of base training.
        **kwargs: As for ``MultigridLR``.
    """

    def __init__(self, optimizer, points: Sequence, base: Mapping,
                 clock: Sequence, **kwargs: Any) -> None:
        self.base = dict(base)
        self._round = floor if self.base.pop('drop_last', False) else ceil
        self.clock = tuple(EpochSpan(*span) for span in clock)
        self._epoch_length = EPOCH_LENGTH  # until follow() sets it
        super().__init__(optimizer, points, **kwargs)

    @cached_property
    def schedules(self) -> List[PiecewiseLR]:
        """list[PiecewiseLR]: The schedule of each parameter group."""
        # A fixed minimum such as eta_min is another share of each base lr, so
        # that parameter groups differ.
        lrs = sorted(set(self.base_values))
        base = BaseLR(**self.base, lrs=lrs, epoch_length=self._epoch_length)
        return [
            CurveLR(
                self.points,
                **self.warmup,
                curve=partial(base, group=lrs.index(lr)),
                clock=self.clock) for lr in self.base_values
        ]

    def follow(self, loop) -> None:
        """Take the epoch, and the length of base epochs, from a loop."""
        batches = loop.batch_sampler.num_clips / loop.batch_sampler.batch_size
        self._epoch_length = max(1, self._round(batches))
        vars(self).pop('schedules', None)  # cached with another length
        super().follow(loop)


def curve_lr(schedule: MultigridSchedule, curve: Callable[[float],
                                                          float]) -> CurveLR:
    """Return the lr of a schedule that follows the curve of base training.

    It is that of the corresponding epoch of base training, times the factor
    for the batch of the stage.
    """
    return CurveLR(
        last_points([(span.begin, float(span.lr_factor))
                     for span in schedule.spans], schedule.max_epochs),
        schedule.base.warmup_epochs,
        schedule.base.warmup_factor,
        curve=curve,
        clock=tuple(span for span in schedule.spans if not span.fixed))


def _check_scheduler(config: Any) -> dict:
    """Check a scheduler, and replace a class by its registered name."""
    if not isinstance(config, Mapping) or 'type' not in config:
        raise TypeError(
            f'param_scheduler holds {config!r}: must be a dict with a type')
    kind, found = type_name(config['type']), config['type']
    if not isinstance(found, type):
        found = PARAM_SCHEDULERS.get(str(found))
    if (not isinstance(found, type) or not issubclass(found, LRSchedulerMixin)
            or kind == 'ReduceOnPlateauLR'):
        raise ValueError(f'param_scheduler: multigrid cannot follow {kind}; '
                         "use one of mmengine's schedulers of the lr, except "
                         'ReduceOnPlateauLR, or a subclass')
    if not config.get('by_epoch', True):
        raise ValueError(f'param_scheduler: {kind} counts iterations '
                         '(by_epoch=False), whose number multigrid '
                         'changes; give its begin and end in epochs, '
                         'with convert_to_iter_based=True')
    for key in ('begin', 'end', 'start_factor'):
        value = config.get(key, 0)
        if not is_number(value) or value < 0:
            raise ValueError(f'param_scheduler: {kind}.{key} = {value!r}: '
                             'must be a number of at least 0')
    known = PARAM_SCHEDULERS.get(kind) is found
    return {**config, 'type': kind if known else config['type']}


def _evaluate(schedulers: List[dict], max_epochs: int, base_lr: float,
              warmup: Optional[int],
              epoch_length: int) -> Tuple[BaseLR, List[float]]:
    """Return the lr, and its factor at the start of every epoch."""
    try:
        base = BaseLR(schedulers, max_epochs, warmup, [base_lr], epoch_length)
        factors = [base(epoch) for epoch in range(max_epochs)]
        for epoch, factor in enumerate(factors):
            # Some formulas of mmengine miss zero by a rounding error.
            if not isfinite(factor) or factor < -1e-9:
                raise ValueError(f'the lr is {factor * base_lr!r} at epoch '
                                 f'{epoch}; it must be a number of at least 0')
    except Exception as error:  # of mmengine or of Python's arithmetic
        raise ValueError(
            f'param_scheduler = {schedulers!r}: multigrid cannot follow it: '
            f'{type(error).__name__}: {error}') from error
    return base, factors


def read_lr(schedulers: Any, max_epochs: int,
            base_lr: Any) -> Tuple[dict, Optional[BaseLR]]:
    """Read the lr of a base config.

    Args:
        schedulers: ``param_scheduler``: a dict, a list of them, or None for
            a constant lr.
        max_epochs (int): Epochs of base training.
        base_lr (float): The optimizer's lr.

    Returns:
        tuple: Arguments of :class:`BaseTraining` (milestones, decays and
        warm-up), and the lr if it is more than steps, else None.

    Raises:
        TypeError, ValueError: Multigrid cannot follow a scheduler.
    """
    if isinstance(schedulers, Mapping):
        schedulers = [schedulers]
    if not isinstance(schedulers or [], (list, tuple)):
        raise TypeError(
            f'param_scheduler = {schedulers!r}: must be a list of dicts')
    schedulers = [_check_scheduler(config) for config in schedulers or []]
    if not schedulers:
        return {}, None
    if not is_number(base_lr) or base_lr <= 0:
        raise ValueError('optim_wrapper.optimizer.lr = '
                         f'{base_lr!r}: must be a number above 0')
    # A linear rise to the base lr from the first epoch on.
    warmup = next(
        (i for i, config in enumerate(schedulers)
         if config['type'] == 'LinearLR' and config.get('begin', 0) == 0
         and config.get('end_factor', 1.) == 1.), None)
    others = [config for i, config in enumerate(schedulers) if i != warmup]
    steps = [config for config in others if config['type'] in STEPS]
    first, found = _read_steps(steps, max_epochs)
    if warmup is not None:
        found.update(
            warmup_epochs=float(schedulers[warmup].get('end', max_epochs)),
            warmup_factor=float(schedulers[warmup].get('start_factor', 1 / 3)))
    if len(steps) == len(others) and first == 1.:
        return found, None
    return found, _evaluate(schedulers, max_epochs, float(base_lr), warmup,
                            EPOCH_LENGTH)[0]


def _read_steps(steps: List[dict], max_epochs: int) -> Tuple[float, dict]:
    """Return the first factor, milestones and the factor after each."""
    steps = [{**config, 'convert_to_iter_based': False} for config in steps]
    factors = _evaluate(steps, max_epochs, 1., None, 1)[1] if steps else [1.]
    decays = {
        epoch: factor
        for epoch, (before, factor) in enumerate(zip(factors, factors[1:]), 1)
        if factor != before
    }
    return factors[0], dict(
        milestones=tuple(decays), gamma=tuple(decays.values()))
