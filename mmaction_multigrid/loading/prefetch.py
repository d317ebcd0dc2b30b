"""Loader that keeps all data workers busy and survives their crashes."""

import logging
from itertools import chain
from typing import Any, Iterator, List, Mapping, Sequence

import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.logging import print_log
from torch.utils.data import DataLoader

from mmaction.registry import HOOKS
from ..core.batch_sampler import TRAIN, RunBatch
from ..core.loop import RunBatches
from .data_time import DataTimeMeter, store_command
from .packing import PackedCollate
from .workers import DeferredSigchld, pop_crashed

MAX_CRASHES = 100


class PrefetchLoader(RunBatches):
    """``RunBatches`` for large batches, dead workers and slow data.

    A coarse batch has up to sixteen times the clips of a base batch: all
    workers load a piece of it, and each sends the tensors of its piece
    together. After a crash the workers start again at the next batch, and the
    file that a crashed worker had open is left out. All other errors end
    training.

    Args:
        dataloader (DataLoader): Crashes of its workers end training, too,
            unless its dataset has ``leave_out``.

    Attributes:
        meter (DataTimeMeter): Time of training, and that of waiting.
    """

    def __init__(self, dataloader: DataLoader) -> None:
        super().__init__(dataloader)
        self.meter = DataTimeMeter()
        self._signals = DeferredSigchld()
        if not isinstance(dataloader.collate_fn, PackedCollate):
            dataloader.collate_fn = PackedCollate(dataloader.collate_fn)
        collate = dataloader.collate_fn.collate
        # mmengine's own is a partial function. No other can be joined.
        if getattr(collate, 'func', collate) is pseudo_collate:
            self.sampler.max_pieces = max(1, dataloader.num_workers)

    def __enter__(self) -> 'PrefetchLoader':
        self._signals.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._signals.__exit__(*error)
        finally:
            super().__exit__(*error)

    def take(self, epoch: int, purpose: str = TRAIN) -> Iterator[Any]:
        """Yield the batches of an epoch that have a purpose.

        Raises:
            RuntimeError: A worker died with no clip open, or a hundred
                workers crashed without a batch in between.
        """
        batches = super().take(epoch, purpose)
        return self.meter.measure(batches) if purpose == TRAIN else batches

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
        return join([
            self._signals.next(self._iterator)
            for _ in range(0, batch.num_clips, size)
        ])


def join(pieces: List[Any]) -> Any:
    """Join pieces that ``pseudo_collate`` made, as if it had made one."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    if isinstance(first, Mapping):
        return type(first)(
            {key: join([piece[key] for piece in pieces])
             for key in first})
    joined = chain.from_iterable(pieces)
    if any(
            isinstance(entry, (Sequence, Mapping))
            and not isinstance(entry, (str, bytes)) for entry in first):
        joined = map(join, zip(*pieces))  # of clips that are sequences
    named = hasattr(first, '_fields')
    return type(first)(*joined) if named else type(first)(joined)


@HOOKS.register_module()
class PrefetchHook(Hook):
    """Load batches by :class:`PrefetchLoader`.

    It logs at the end of each stage whether the loader limited training.
    """

    def before_train(self, runner) -> None:
        """Replace the loop's source of batches."""
        loop = runner.train_loop
        loop.batches = PrefetchLoader(loop.dataloader)

    def after_train_epoch(self, runner) -> None:
        """Log the share of time that was spent waiting in a stage."""
        loop, sampler = runner.train_loop, runner.train_loop.batch_sampler
        if runner.epoch + 1 != sampler.stage.end:
            return
        loader = loop.dataloader
        text = loop.batches.meter.text(
            loader.num_workers, store_command(runner.cfg, loader.dataset))
        loop.batches.meter = DataTimeMeter()
        runner.logger.info(
            f'Multigrid stage {sampler.stages.index(sampler.stage) + 1}/'
            f'{len(sampler.stages)} is trained: {text}')
