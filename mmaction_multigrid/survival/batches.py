"""All batches of a run in one stream, loaded by all workers, though a file should end the worker that opens it."""

import logging
from collections import deque
from contextlib import nullcontext
from typing import Any, Callable, Deque, Iterator, List, Optional, Tuple

import torch
from mmengine.logging import print_log
from torch.utils.data import DataLoader

from ..schedule import Segment
from .pieces import join, max_pieces
from .sending import Together
from .worker_deaths import WorkerDeaths, leave_out_crashed

MAX_CRASHES = 100


class BatchStream:
    """Hands out the batches of one segment after the other, in order, as from the loader itself.

    The workers do not stop at the end of a segment: they go on with the one that follows, by ``following``, and its first
    batch is there when it is asked for. Where another is asked for instead, they start over with that one.

    A coarse batch has up to sixteen times the clips of a base batch, and one worker would take as many times as long
    over it: it is loaded in pieces, by all workers at once. The tensors of a piece are sent together.

    Where a worker crashes while it has a clip open, the workers are started anew at the batch that comes next, and the
    data set is told to leave that clip's file out. Anything else that happens to a worker ends the run, but only when a
    batch is asked for. To be used in a ``with`` block.

    Args:
        dataloader (DataLoader): Of a ``MultigridBatchSampler`` and, for all this, with workers and of a
            ``MultigridDataset``; any other just loads.
        following: The segment after one; None, the default: the last one.
    """

    def __init__(self, dataloader: DataLoader,
                 following: Callable[[Segment], Optional[Segment]] = lambda segment: None) -> None:
        self._loader, self._following = dataloader, following
        self._plain = not dataloader.num_workers or not hasattr(dataloader.dataset, 'leave_out')
        if not self._plain and not isinstance(dataloader.collate_fn, Together):
            dataloader.collate_fn = Together(dataloader.collate_fn)
        self._deaths = WorkerDeaths()
        self._iterator: Any = None
        # Of every batch that workers are told to load: segment, number in it, pieces.
        self._ahead: Deque[Tuple[Segment, int, int]] = deque()

    def __enter__(self) -> 'BatchStream':
        if not self._plain:
            self._deaths.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._ahead.clear()
        try:
            if not self._plain:
                self._deaths.__exit__(*error)
        finally:
            self._iterator = None  # ends workers that are not persistent

    def batches(self, segment: Segment) -> Iterator[Any]:
        """The batches of a segment, whose epoch is the batch sampler's current one.

        Raises:
            RuntimeError: A worker ended and no clip is to blame, or a hundred crashed without a batch between.
        """
        sampler = self._loader.batch_sampler
        if self._plain:
            with sampler.fixed(segment.shape, segment.limit) if segment.shape else nullcontext():
                yield from self._loader
            return
        done = crashes = 0
        while done < sampler.length_of(segment):
            try:
                if not self._ahead or self._ahead[0][:2] != (segment, done):
                    self._start(segment, done, crashes > 0)
                batch = self._next()
            except Exception:
                crashes += 1
                names = leave_out_crashed(self._loader, self._iterator)
                if not names or crashes >= MAX_CRASHES:
                    raise
                self._iterator = None
                self._tell(names, done)
                continue
            done, crashes = done + 1, 0
            yield batch

    def _start(self, segment: Segment, done: int, again: bool) -> None:
        """Have the workers load this batch next, and what follows."""
        self._iterator = None
        self._ahead.clear()
        # A loader draws a random number for its workers: a restart must not move the model's.
        kept = torch.random.fork_rng(devices=[]) if again else nullcontext()
        with self._loader.batch_sampler.instead(lambda: self._pieces(segment, done)), kept:
            self._iterator = iter(self._loader)

    def _pieces(self, segment: Optional[Segment], start: int) -> Iterator[List[tuple]]:
        sampler, most = self._loader.batch_sampler, max_pieces(self._loader)
        while segment is not None:
            for number, pieces in enumerate(sampler.in_pieces(segment, most, start), start):
                self._ahead.append((segment, number, len(pieces)))
                yield from pieces
            # A sampler without epochs may draw its order from the model's random numbers: not before its time.
            segment, start = self._following(segment) if sampler.order_follows_epoch else None, 0

    def _next(self) -> Any:
        try:
            pieces = [self._deaths.next(self._iterator) for _ in range(self._ahead[0][2])]
            self._ahead.popleft()
        except BaseException:  # a part of the batch is lost
            self._ahead.clear()
            raise
        return join(pieces)

    @staticmethod
    def _tell(names: List[str], done: int) -> None:
        for name in names:
            print_log(f'{name}: ended the data worker that opened it and is left out from now on; workers are '
                      f'started anew at batch {done + 1} of the epoch', logger='current', level=logging.WARNING)
