"""Train loop for epochs of different numbers of iterations."""

import random
from bisect import bisect_right
from itertools import accumulate
from typing import Any, Dict, Iterator, List, Union

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop
from torch import nn
from torch.utils.data import DataLoader

from mmaction.registry import LOOPS
from .batch_sampler import (TRAIN, MultigridBatchSampler, RunBatch,
                            is_positive_int)
from .lr import MultigridLR
from .stages import Stage


class RunBatches:
    """Provide the batches of a run from one iterator over its data loader.

    The data workers load the batches in order and continue with those of
    precise BN and of the next epoch while the loop is busy elsewhere.

    Args:
        dataloader (DataLoader): Loader with a ``MultigridBatchSampler``.
    """

    def __init__(self, dataloader: DataLoader) -> None:
        self.dataloader = dataloader
        self.sampler: MultigridBatchSampler = dataloader.batch_sampler
        # The iterator, and (epoch, number) of the batch that it yields next.
        self._iterator = self._next = None

    def __enter__(self) -> 'RunBatches':
        return self

    def __exit__(self, *error: Any) -> None:
        # The last reference: this ends data workers that are not persistent.
        self._iterator = self._next = None

    def take(self, epoch: int, purpose: str = TRAIN) -> Iterator[Any]:
        """Yield the batches of an epoch for a purpose.

        The iterator starts anew if it would yield another batch next.

        Args:
            epoch (int): The epoch.
            purpose (str): ``'train'`` or ``'precise_bn'``. Defaults to
                ``'train'``.
        """
        batches = self.sampler.batches(epoch)
        for batch in batches:
            if batch.purpose == purpose:
                data = self._take_one(batch)
                # The next epoch follows without a new iterator. This is set
                # before the yield, after which the caller may stop.
                if batch is batches[-1]:
                    self._next = (epoch + 1, 0)
                yield data

    def _take_one(self, batch: RunBatch) -> Any:
        # After a resume, or if the batches of precise BN were left out.
        if self._next != batch[:2]:
            self._start(batch)
        data = self._load(batch)
        self._next = (batch.epoch, batch.number + 1)
        return data

    def _start(self, batch: RunBatch) -> None:
        # Persistent workers refuse a second iterator beside the first.
        self._iterator = None
        self.sampler.start_run(batch.epoch, batch.number)
        self._iterator = iter(self.dataloader)

    def _load(self, batch: RunBatch) -> Any:
        return next(self._iterator)


def list_eval_epochs(stage: Stage, freq: int) -> List[int]:
    """List the epochs after which to validate in a stage.

    Args:
        stage (Stage): The stage.
        freq (int): Validations per stage.

    Returns:
        list[int]: Numbers of finished epochs of the whole training, evenly
        spaced. The end of the stage is one of them.
    """
    # A short stage has no more validations than epochs.
    count = min(freq, stage.epochs)
    # Rounded up, so that the last one is the end of the stage.
    return [(stage.begin + -(-stage.epochs * i // count))
            for i in range(1, count + 1)]


@LOOPS.register_module()
class MultigridTrainLoop(EpochBasedTrainLoop):
    """Count the iterations of each epoch and validate per stage.

    The stock loop takes the first epoch's length for that of every epoch and
    validates at fixed intervals of epochs. Accumulated gradients
    (``accumulative_counts``) end with an epoch.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): Loader with a
            ``MultigridBatchSampler``. ``pin_memory`` of a dict defaults to
            True where there is a GPU.
        max_epochs (int): Epochs of all stages.
        eval_freq (int): Validations per stage, evenly spaced, one at its
            end. Defaults to 3.

    Attributes:
        batches (RunBatches): Source of the batches; hooks may replace it
            before training.
        eval_epochs (frozenset[int]): Numbers of finished epochs after which
            to validate and save.
        first_iters (list[int]): Iterations before each epoch, and in all.

    Raises:
        TypeError: The batch sampler has no stages.
        ValueError: ``max_epochs`` is not the sum of the stages' epochs, or
            ``eval_freq`` is impossible.
    """

    def __init__(self,
                 runner,
                 dataloader: Union[DataLoader, Dict],
                 max_epochs: int,
                 eval_freq: int = 3) -> None:
        if isinstance(dataloader, dict):
            dataloader = {
                'pin_memory': torch.cuda.is_available(),
                **dataloader
            }
        super().__init__(runner, dataloader, max_epochs)
        sampler = self.batch_sampler = self.dataloader.batch_sampler
        if not hasattr(sampler, 'stages'):
            raise TypeError(f'{type(self).__name__} needs '
                            'train_dataloader.batch_sampler '
                            "of type 'MultigridBatchSampler', not "
                            f'{type(sampler).__name__}')
        if max_epochs != sampler.max_epochs:
            raise ValueError(
                f'train_cfg.max_epochs = {max_epochs}: the stages of '
                'train_dataloader.batch_sampler sum up to '
                f'{sampler.max_epochs} epochs, and the two must agree')
        if not is_positive_int(eval_freq):
            raise ValueError(f'train_cfg.eval_freq = {eval_freq!r}: '
                             'must be an integer of at least 1')
        self.eval_epochs = frozenset(
            epoch for stage in sampler.stages
            for epoch in list_eval_epochs(stage, eval_freq))
        # Known in advance, because the batch sampler follows from the epoch.
        self.first_iters = [
            0, *accumulate(map(sampler.num_batches, range(max_epochs)))
        ]
        # The stock loop multiplies the first epoch's length instead.
        self._max_iters = self.first_iters[-1]
        self.batches = RunBatches(self.dataloader)

    def is_eval_epoch(self, num_epochs: int) -> bool:
        """Check whether to validate after ``num_epochs`` epochs."""
        return num_epochs in self.eval_epochs

    def epoch_at(self, iteration: int) -> float:
        """Compute the fractional epoch at the start of an iteration."""
        epoch = min((bisect_right(self.first_iters, iteration) - 1),
                    self._max_epochs - 1)
        begin, end = self.first_iters[epoch:epoch + 2]
        return epoch + (iteration - begin) / (end - begin)

    def run(self) -> nn.Module:
        """Train, and validate where a stage asks for it."""
        # A checkpoint of another batch size counts other iterations, so that
        # the epoch alone is taken from it.
        self._iter = self.first_iters[min(self._epoch, self._max_epochs)]
        # Before the hooks: MultigridHook logs the lr of the first stage.
        for scheduler in self.runner.param_schedulers or []:
            if isinstance(scheduler, MultigridLR):
                scheduler.follow(self)
        self.runner.call_hook('before_train')
        with self.batches:
            while self._epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                if self.runner.val_loop is not None and self.is_eval_epoch(
                        self._epoch):
                    self.runner.val_loop.run()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train one epoch."""
        self.runner.call_hook('before_train_epoch')
        # A group of accumulated batches must end with its epoch, because the
        # next batches may be of another stage. mmengine looks for batch norms
        # in the model to warn of them, which the Runner has done before: an
        # empty module avoids a warning per epoch.
        begin, end = self.first_iters[self._epoch:self._epoch + 2]
        self.runner.optim_wrapper.initialize_count_status(
            nn.Module(), 0, end - begin)
        self.runner.model.train()
        for idx, data_batch in enumerate(self.batches.take(self._epoch)):
            if idx == 0:
                # Not before: a new iterator draws from torch's generator.
                self._seed()
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _seed(self) -> None:
        """Seed the random numbers of the model, such as dropout, by epoch.

        A resume then needs no state of the generators.
        """
        # Ranks differ, or all of them would drop the same features. The
        # factor is a prime that is larger than any number of ranks.
        seed, rank = self.runner.seed, get_rank()
        torch.manual_seed(seed + 1000003 * self._epoch + rank)
        numbers = np.random.SeedSequence(
            (seed, self._epoch, rank, 1)).generate_state(2).tolist()
        random.seed(numbers[0])
        np.random.seed(numbers[1])
