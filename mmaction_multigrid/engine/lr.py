"""The learning rate as a function of the fractional epoch."""

from math import ceil, floor
from typing import Callable, List, Mapping, Optional, Sequence, Tuple

from mmaction.registry import PARAM_SCHEDULERS
from mmengine.optim import _ParamScheduler

from ..config.base_lr import EPOCH_LENGTH, BaseLR
from ..schedule import PiecewiseLR, Span


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
        base (dict, optional): ``schedulers``, ``max_epochs`` and ``warmup`` of :class:`BaseLR`: a base schedule that is
            more than steps, and by which the factors are multiplied; and ``drop_last`` of base training's data loader.
            Defaults to None.
        clock (Sequence): (begin, end, begin, end) of spans of epochs, and of the epochs of base training that the base
            schedule is read at meanwhile.
        end (int, optional): Not used: the Runner gives every scheduler one.
        last_step (int): Index of the last iteration. Defaults to -1.

    Raises:
        ValueError: The points do not rise from epoch 0, or only one of ``base`` and ``clock`` is given.
    """

    def __init__(self,
                 optimizer,
                 points: Sequence[Tuple[float, float]],
                 warmup_epochs: float = 0.,
                 warmup_factor: float = 1.,
                 base: Optional[Mapping] = None,
                 clock: Sequence[Tuple[float, float, float, float]] = (),
                 end: Optional[int] = None,
                 last_step: int = -1) -> None:
        points = tuple(tuple(point) for point in points)
        epochs = [epoch for epoch, _ in points]
        if not points or epochs[0] != 0 or any(b <= a for a, b in zip(epochs, epochs[1:])):
            raise ValueError(f'points = {points!r}: must be (epoch, factor) pairs that rise in epoch from 0')
        if bool(base) != bool(clock):
            raise ValueError('base and clock: must be given both, or none')
        self._points, self._warmup = points, (warmup_epochs, warmup_factor)
        self._base, self._clock = dict(base or {}), tuple(Span(*span) for span in clock)
        self._epoch_at: Optional[Callable[[int], float]] = None
        self.schedules: List[PiecewiseLR] = []
        super().__init__(optimizer, 'lr', last_step=last_step, by_epoch=False)

    @property
    def settings(self) -> dict:
        """The arguments that the schedule was made from, in plain lists and numbers."""
        return dict(points=[list(point) for point in self._points], warmup_epochs=self._warmup[0],
                    warmup_factor=self._warmup[1], base=self._base, clock=[list(span) for span in self._clock])

    @property
    def schedule(self) -> PiecewiseLR:
        """The schedule of the first parameter group."""
        return self.schedules[0]

    def _make_schedules(self, base_batches: float) -> List[PiecewiseLR]:
        """A schedule for each parameter group: a smallest lr is another share of another base lr."""
        if not self._base:
            return [PiecewiseLR(self._points, *self._warmup)] * len(self.base_values)
        lrs, config = sorted(set(self.base_values)), dict(self._base)
        length = floor(base_batches) if config.pop('drop_last', False) else ceil(base_batches)
        base = BaseLR(**config, lrs=lrs, epoch_length=max(1, length))
        by_lr = {lr: PiecewiseLR(self._points, *self._warmup, _factor_of(base, lrs, i), self._clock)
                 for i, lr in enumerate(lrs)}
        return [by_lr[lr] for lr in self.base_values]

    def follow(self, epoch_at: Callable[[int], float], iteration: int, base_batches: float = EPOCH_LENGTH) -> None:
        """Follow a clock from an iteration on, and set the lr for it.

        Args:
            epoch_at: From iteration to fractional epoch.
            iteration: The iteration that comes next.
            base_batches: Batches of an epoch of base training, which mmengine's schedulers depend on; the last one may be
                one in part.
        """
        self._epoch_at = epoch_at
        self.schedules = self._make_schedules(base_batches)
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
        if not self.schedules:
            self.schedules = self._make_schedules(EPOCH_LENGTH)
        epoch = self._epoch_at(self.last_step) if self._epoch_at else 0.
        return [value * schedule(epoch) for value, schedule in zip(self.base_values, self.schedules)]

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over the position and nothing else: the rest is the config's, the base lr scaled to this run's batch."""
        self.last_step = self._global_step = state_dict['last_step']

    def state_dict(self) -> dict:
        """Plain numbers only: the rest follows from the config."""
        return {key: self.__dict__[key] for key in ('last_step', '_global_step', '_last_value', 'base_values')}


def _factor_of(base: BaseLR, lrs: Sequence[float], i: int) -> Callable[[float], float]:
    """Factor of the ``i``-th base lr at an epoch of base training."""
    return lambda epoch: base(epoch)[i] / lrs[i] if lrs[i] else 0.
