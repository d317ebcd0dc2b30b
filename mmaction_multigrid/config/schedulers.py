"""What the ``param_scheduler`` of a stock config says about the learning rate."""

from math import isfinite
from typing import Any, List, Mapping, Optional, Tuple

from mmaction.registry import PARAM_SCHEDULERS
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin

from ..schedule import is_number, type_name
from .base_lr import EPOCH_LENGTH, BaseLR

STEPS = ('MultiStepLR', 'StepLR')
MAX_EPOCHS = 10**6  # of a schedule that is walked through, epoch by epoch


class BaseCurve:
    """Factor of base training's lr at a fractional epoch of it; nothing is computed before somebody asks.

    Args:
        schedulers (list[dict]): The schedulers.
        max_epochs (int): Epochs of base training.
        base_lr (float): The lr that the factor is of.
        warmup (int, optional): Index of the scheduler that is the warm-up.
        epoch_length (int): Iterations of an epoch of base training.

    Attributes:
        config (dict): The arguments of ``BaseLR`` but the last two, for ``MultigridLR``.
    """

    def __init__(self, schedulers: List[dict], max_epochs: int, base_lr: float, warmup: Optional[int],
                 epoch_length: int = EPOCH_LENGTH) -> None:
        self.config = dict(schedulers=schedulers, max_epochs=max_epochs, warmup=warmup)
        self._lr = BaseLR(lrs=[base_lr], epoch_length=epoch_length, **self.config)
        self._base_lr = base_lr

    def __call__(self, epoch: float) -> float:
        return self._lr(epoch)[0] / self._base_lr


def _check_scheduler(config: Any, max_epochs: int) -> dict:
    """A scheduler of the lr that counts epochs, with the name of its type in the place of a class.

    Raises:
        TypeError, ValueError: It is something else.
    """
    if not isinstance(config, Mapping) or 'type' not in config:
        raise TypeError(f'param_scheduler holds {config!r}: must be a dict with a type')
    kind = type_name(config['type'])
    found = config['type'] if isinstance(config['type'], type) else PARAM_SCHEDULERS.get(config['type'])
    if not isinstance(found, type) or not issubclass(found, LRSchedulerMixin) or kind == 'ReduceOnPlateauLR':
        raise ValueError(f'param_scheduler: multigrid cannot follow {kind}; it can follow the schedulers of the lr that '
                         'mmengine has, but ReduceOnPlateauLR, and those that are derived from them')
    if not config.get('by_epoch', True):
        raise ValueError(f'param_scheduler: {kind} counts iterations (by_epoch=False), whose number multigrid '
                         'changes; give its begin and end in epochs, with convert_to_iter_based=True')
    for key in ('begin', 'end'):
        value = config.get(key, 0)
        if not is_number(value) or value < 0:
            raise ValueError(f'param_scheduler: {kind}.{key} = {value!r}: must be a number of epochs')
    if config.get('begin', 0) >= config.get('end', max_epochs):
        raise ValueError(f'param_scheduler: {kind}.begin = {config.get("begin", 0)!r}: must be before its end, '
                         f'{config.get("end", max_epochs)!r}')
    return {**config, 'type': kind if PARAM_SCHEDULERS.get(kind) is found else config['type']}


def _is_warmup(config: Mapping) -> bool:
    return config['type'] == 'LinearLR' and config.get('begin', 0) == 0 and config.get('end_factor', 1.) == 1.


def _walk(schedulers: List[dict], max_epochs: int, base_lr: float, warmup: Optional[int],
          epoch_length: int) -> Tuple[BaseCurve, List[float]]:
    """The lr, and its factor at the start of every epoch.

    Raises:
        ValueError: mmengine refuses a scheduler, or the lr becomes negative or no number.
    """
    try:
        curve = BaseCurve(schedulers, max_epochs, base_lr, warmup, epoch_length)
        factors = [curve(epoch) for epoch in range(max_epochs)]
    except Exception as error:  # whatever mmengine, or Python's arithmetic, makes of impossible settings
        raise ValueError(f'param_scheduler = {schedulers!r}: mmengine cannot follow it: {type(error).__name__}: '
                         f'{error}') from error
    # Some of mmengine's formulas miss zero by a rounding error.
    wrong = [epoch for epoch, factor in enumerate(factors) if not (isfinite(factor) and factor >= -1e-9)]
    if wrong:
        raise ValueError(f'param_scheduler = {schedulers!r}: the lr is {factors[wrong[0]] * base_lr!r} at epoch '
                         f'{wrong[0]}; it must be a number of at least 0')
    return curve, factors


def _check_lr(schedulers: List[dict], base_lr: Any) -> float:
    """The optimizer's lr; 1 where the config leaves it to the optimizer and it does not matter.

    Raises:
        ValueError: It is impossible, or a scheduler has a smallest lr and there is none.
    """
    if base_lr is None and not any(config.get('eta_min') for config in schedulers):
        return 1.
    if not is_number(base_lr) or base_lr <= 0:
        raise ValueError(f'optim_wrapper.optimizer.lr = {base_lr!r}: must be a number above 0')
    return float(base_lr)


def read_lr(schedulers: Any, max_epochs: int, base_lr: Optional[float]) -> dict:
    """The lr part of :class:`BaseTraining`: decays, warm-up and curve.

    Args:
        schedulers: ``param_scheduler`` of the config: a dict, a list of them, or None for a constant lr.
        max_epochs: Epochs of base training.
        base_lr: The optimizer's lr, beside which an ``eta_min`` stands.

    Raises:
        TypeError, ValueError: A scheduler is none that multigrid can follow, or a setting of it is impossible.
    """
    if schedulers is None:
        return {}
    if isinstance(schedulers, Mapping):
        if schedulers and 'type' not in schedulers:
            raise ValueError('param_scheduler is a dict of several optimizers: multigrid schedules one')
        schedulers = [schedulers] if schedulers else []
    if not isinstance(schedulers, (list, tuple)):
        raise TypeError(f'param_scheduler = {schedulers!r}: must be a list of dicts')
    schedulers = [_check_scheduler(config, max_epochs) for config in schedulers]
    if not schedulers:
        return {}
    if max_epochs > MAX_EPOCHS:
        raise ValueError(f'train_cfg.max_epochs = {max_epochs}: must be at most {MAX_EPOCHS}')
    base_lr = _check_lr(schedulers, base_lr)
    warmup = next((i for i, config in enumerate(schedulers) if _is_warmup(config)), None)
    result = {} if warmup is None else _read_warmup(schedulers[warmup], max_epochs)
    others = [config for i, config in enumerate(schedulers) if i != warmup]
    steps = [{**config, 'convert_to_iter_based': False} for config in others if config['type'] in STEPS]
    milestones = _read_steps(steps, max_epochs)
    result.update(milestones=tuple(milestones), gamma=tuple(milestones.values()))
    if len(steps) < len(others):
        result['curve'], _ = _walk(schedulers, max_epochs, base_lr, warmup, EPOCH_LENGTH)
    return result


def _read_warmup(config: Mapping, max_epochs: int) -> dict:
    factor, end = config.get('start_factor', 1 / 3), config.get('end', max_epochs)
    if not is_number(factor) or not 0 < factor <= 1:
        raise ValueError(f'param_scheduler: LinearLR.start_factor = {factor!r}: must be a number above 0 and at most 1')
    return dict(warmup_epochs=float(end), warmup_factor=float(factor))


def _read_steps(steps: List[dict], max_epochs: int) -> dict:
    """Epochs at which step schedulers change the lr, and its factor from there on."""
    if not steps:
        return {}
    _, factors = _walk(steps, max_epochs, 1., None, 1)
    return {epoch: factor for epoch, (before, factor) in enumerate(zip(factors, factors[1:]), 1) if factor != before}
