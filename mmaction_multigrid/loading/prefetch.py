"""Loader that keeps all data workers busy and survives their crashes."""

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

MAX_CRASHES = 100
# Share of the time from which on the log gives advice.
MUCH_WAITING = 0.1


class PrefetchLoader(RunBatches):
    """``RunBatches`` for large batches, dead workers and slow data.

    A coarse batch has up to sixteen times the clips of a base batch: all
    workers load a piece of it, and the main process collates the pieces.
    After a crash the workers start again at the next batch, and the file
    that a crashed worker had open is left out. All other errors end training.

    Args:
        dataloader (DataLoader): Crashes of its workers end training, too,
            unless its dataset has ``leave_out``.
    """

    def __init__(self, dataloader: DataLoader) -> None:
        super().__init__(dataloader)
        self._signals = DeferredSigchld()
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
                names = pop_crashed(self.dataloader, self._iterator)
                if not names or crashes + 1 == MAX_CRASHES:
                    raise
            self._next = None
            for name in names:
                print_log(
                    f'{name}: ended the data worker that opened it and is '
                    'left out from now on; workers are started anew at batch '
                    f'{batch.number + 1} of the epoch',
                    logger='current',
                    level=logging.WARNING)

    def _start(self, batch: RunBatch) -> None:
        # A loader draws a random number for its workers. The model's random
        # numbers must not depend on restarts.
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

    At the end of each stage it logs how long training waited for data.
    """

    def before_train(self, runner) -> None:
        """Replace the loop's source of batches."""
        loop = runner.train_loop
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
        advice = ('; train_dataloader.num_workers or a frame store '
                  '(multigrid.grid_store) can shorten that')
        runner.logger.info(
            f'Multigrid stage {stages.index(stage) + 1}/{len(stages)} is '
            f'trained: waiting for data {100 * waited / total:.0f} % of '
            f'{count * total:.3g} s'
            f'{advice if waited >= MUCH_WAITING * total else ""}')
