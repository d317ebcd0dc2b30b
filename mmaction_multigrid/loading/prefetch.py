"""Loader that keeps all data workers busy and restarts crashed ones."""

import logging
from itertools import chain
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from torch.utils.data import DataLoader

from mmaction.registry import HOOKS
from ..core.batch_sampler import RunBatch
from ..core.loop import RunBatches
from .packing import pack_in_worker
from .workers import DeferredSigchld, pop_crashed

# Crashes without a batch in between. More of them are no matter of files.
MAX_CRASHES = 100


class PrefetchLoader(RunBatches):
    """``RunBatches`` for large batches, dead workers and slow data.

    A coarse batch can have sixteen times the clips of a base batch. Therefore
    each worker loads a piece of it, and the main process collates the pieces.
    After a crash the workers start again at the same batch, and the file that
    the crashed worker had open is left out. All other errors end training.

    Args:
        dataloader (DataLoader): Loader with a ``MultigridBatchSampler``. If
            its dataset has no ``leave_out``, crashes end training as well.
    """

    def __init__(self, dataloader: DataLoader) -> None:
        super().__init__(dataloader)
        self._signals = DeferredSigchld()
        # Workers return lists of clips. Pieces that they collated could not be
        # joined for every collate_fn.
        self._collate = dataloader.collate_fn
        dataloader.collate_fn = pack_in_worker
        self.sampler.max_pieces = max(1, dataloader.num_workers)

    def __enter__(self) -> 'PrefetchLoader':
        self._signals.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._signals.__exit__(*error)
        super().__exit__(*error)

    def _take_one(self, batch: RunBatch) -> Any:
        for crashes in range(MAX_CRASHES):
            try:
                return super()._take_one(batch)
            except Exception:
                # torch raises a RuntimeError for a dead worker, which does
                # not say how it died.
                names = pop_crashed(self.dataloader, self._iterator)
                if not names or crashes + 1 == MAX_CRASHES:
                    raise
            # _take_one then starts a new iterator at this batch.
            self._next = None
            for name in names:
                print_log(
                    f'{name}: ended the data worker that opened it and is '
                    'left out from now on; workers are started anew at batch '
                    f'{batch.number + 1} of the epoch',
                    logger='current',
                    level=logging.WARNING)

    def _start(self, batch: RunBatch) -> None:
        # A new iterator draws a seed for its workers. The random numbers of
        # the model, such as dropout, must not depend on restarts.
        with torch.random.fork_rng(devices=[]):
            super()._start(batch)

    def _load(self, batch: RunBatch) -> Any:
        size = self.sampler.piece_size(batch.num_clips)
        pieces = [
            self._signals.next(self._iterator)
            for _ in range(0, batch.num_clips, size)
        ]
        return self._collate(list(chain.from_iterable(pieces)))


@HOOKS.register_module()
class PrefetchHook(Hook):
    """Load batches by :class:`PrefetchLoader`.

    The hook also logs, at the end of each stage, how long training waited for
    data.
    """

    def before_train(self, runner) -> None:
        """Replace the loop's source of batches."""
        loop = runner.train_loop
        # A second call of train() must not wrap collate_fn again.
        if not isinstance(loop.batches, PrefetchLoader):
            loop.batches = PrefetchLoader(loop.dataloader)

    def after_train_epoch(self, runner) -> None:
        """Log the share of a stage's time that was spent waiting."""
        loop, times = runner.train_loop, runner.message_hub.log_scalars
        stages, stage = loop.batch_sampler.stages, loop.batch_sampler.stage
        # A config may leave out IterTimerHook, which measures the times.
        if runner.epoch + 1 != stage.end or 'train/data_time' not in times:
            return
        count = loop.first_iters[stage.end] - loop.first_iters[stage.begin]
        waited, total = (
            times[f'train/{name}'].mean(count)
            for name in ('data_time', 'time'))
        runner.logger.info(
            f'Multigrid stage {stages.index(stage) + 1}/{len(stages)} is '
            f'trained: waiting for data {100 * waited / total:.0f} % of '
            f'{count * total:.3g} s')
