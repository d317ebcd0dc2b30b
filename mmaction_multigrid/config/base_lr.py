"""The learning rate of base training, as mmengine's own schedulers set it."""

from array import array
from typing import List, Optional, Sequence

import torch
from mmaction.registry import PARAM_SCHEDULERS

# Iterations of an epoch where nobody knows how many there are: for looking at a schedule, not for training with it.
EPOCH_LENGTH = 50
# Epochs add up from fractions: an iteration that is so near is meant.
NEARLY = 1e-6


class _Walk:
    """Steps mmengine's schedulers on a made-up optimizer, as a Runner does, and notes the lr of every iteration."""

    def __init__(self, schedulers: Sequence[dict], lrs: Sequence[float], epoch_length: int) -> None:
        self.optimizer = torch.optim.SGD([dict(params=[torch.nn.Parameter(torch.zeros(()))], lr=lr) for lr in lrs], lr=1.)
        self.schedulers = [
            PARAM_SCHEDULERS.build(dict(config), default_args=dict(optimizer=self.optimizer, epoch_length=epoch_length))
            for config in schedulers
        ]
        self.optimizer.step()  # else they warn that nobody trains
        self.epoch_length = epoch_length
        self.count = 0
        self.values = [array('d') for _ in lrs]
        self._write()

    def _write(self) -> None:
        self.count += 1
        for values, group in zip(self.values, self.optimizer.param_groups):
            values.append(group['lr'])

    def at(self, iteration: int) -> List[float]:
        """lr of every parameter group at an iteration, counted from 0."""
        while self.count <= iteration:
            for scheduler in self.schedulers:
                if not scheduler.by_epoch:
                    scheduler.step()
            for scheduler in self.schedulers:
                if scheduler.by_epoch and self.count % self.epoch_length == 0:
                    scheduler.step()
            self._write()
        return [values[iteration] for values in self.values]


class BaseLR:
    """lr of base training at any epoch, with the warm-up left out before its end: multigrid has that to itself.

    Args:
        schedulers (Sequence[dict]): ``param_scheduler`` of the base config, of the lr and none else.
        max_epochs (int): Epochs of base training.
        lrs (Sequence[float]): Base lr of each parameter group.
        epoch_length (int): Iterations of an epoch of base training. Defaults to 50.
        warmup (int, optional): Index of the scheduler that is the warm-up. Defaults to None: there is none.

    Raises:
        Exception: Whatever mmengine makes of a broken scheduler.
    """

    def __init__(self, schedulers: Sequence[dict], max_epochs: int, lrs: Sequence[float],
                 epoch_length: int = EPOCH_LENGTH, warmup: Optional[int] = None) -> None:
        self.max_epochs, self.epoch_length = max_epochs, epoch_length
        schedulers = [dict(config) for config in schedulers]
        for config in schedulers:
            config.setdefault('end', max_epochs)  # as the Runner does
        self._walk = self._before = _Walk(schedulers, lrs, epoch_length)
        self._warmup_end = 0.
        if warmup is not None:
            self._warmup_end = schedulers[warmup]['end']
            self._before = _Walk(schedulers[:warmup] + schedulers[warmup + 1:], lrs, epoch_length)

    def __call__(self, epoch: float) -> List[float]:
        """lr of every parameter group at a fractional epoch; of the iteration that it is in, the last one at the end."""
        iteration = int(epoch * self.epoch_length + NEARLY)
        iteration = max(0, min(iteration, self.max_epochs * self.epoch_length - 1))
        walk = self._before if epoch + NEARLY < self._warmup_end else self._walk
        return walk.at(iteration)
