"""An epoch's batches, loaded by all data workers together, though a file should end the worker that opens it."""

import logging
import signal
import threading
from contextlib import nullcontext
from itertools import chain
from multiprocessing.connection import wait
from typing import Any, Iterator, List, Mapping, Sequence

import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from torch.utils.data import DataLoader
from torch.utils.data._utils.signal_handling import _set_SIGCHLD_handler

# How native code ends a process that it has gone wrong in. Not SIGBUS, which is shared memory that ran out, nor
# SIGKILL, which is the machine's memory: no file is to blame for those.
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE)
MAX_CRASHES = 100


def surviving_batches(dataloader: DataLoader) -> Iterator[Any]:
    """The batches of an epoch, in order, as from the loader itself.

    A coarse batch has up to sixteen times the clips of a base batch, and one worker would take as many times as long
    over it, while the first batches of every epoch are waited for: it is loaded in pieces, by all workers at once.

    Where a worker crashes while it has a clip open, the workers are started anew at the batch that comes next, and the
    data set is told to leave that clip's file out. Anything else that happens to a worker ends the epoch as before.

    Args:
        dataloader (DataLoader): Of a ``MultigridBatchSampler`` and, to survive, of a ``MultigridDataset``.

    Raises:
        RuntimeError: A worker ended and no clip is to blame, or a hundred crashed without a batch between.
    """
    if not dataloader.num_workers or not hasattr(dataloader.dataset, 'leave_out'):
        yield from dataloader
        return
    done = crashes = 0
    with WorkerDeaths() as deaths, dataloader.batch_sampler.in_pieces(_max_pieces(dataloader)) as counts:
        while True:
            iterator = None
            try:
                # A loader draws a random number for its workers: a restart must not move the model's.
                kept = torch.random.fork_rng(devices=[]) if crashes else nullcontext()
                with dataloader.batch_sampler.starting_at(done), kept:
                    iterator = iter(dataloader)
                while (piece := deaths.next(iterator)) is not None:
                    batch = join([piece, *(deaths.next(iterator) for _ in range(counts[done] - 1))])
                    done, crashes = done + 1, 0
                    yield batch
                return
            except Exception:
                crashes += 1
                names = _leave_out_crashed(dataloader, iterator)
                if not names or crashes >= MAX_CRASHES:
                    raise
            for name in names:
                print_log(f'{name}: ended the data worker that opened it and is left out from now on; workers are '
                          f'started anew at batch {done + 1} of the epoch', logger='current', level=logging.WARNING)


def _max_pieces(dataloader: DataLoader) -> int:
    """As many as there are workers, where it is known how to join what they load."""
    collate = getattr(dataloader.collate_fn, 'func', dataloader.collate_fn)  # mmengine's is a partial function
    return dataloader.num_workers if collate is pseudo_collate else 1


def join(pieces: List[Any]) -> Any:
    """What ``pseudo_collate`` makes of the clips of all pieces, from what it made of each piece's."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    if isinstance(first, Mapping):
        return type(first)({key: join([piece[key] for piece in pieces]) for key in first})
    if any(isinstance(entry, (Sequence, Mapping)) and not isinstance(entry, (str, bytes)) for entry in first):
        fields = map(join, zip(*pieces))  # of clips that are sequences
        return type(first)(*fields) if hasattr(first, '_fields') else type(first)(fields)
    return type(first)(chain.from_iterable(pieces))  # one entry a clip


class WorkerDeaths:
    """Lets the death of a data worker raise an error while a batch is waited for, and not in the midst of a step.

    Torch raises it in a handler of SIGCHLD, that is, wherever the main thread happens to be.
    """

    def __enter__(self) -> 'WorkerDeaths':
        self._waiting, self._missed = False, ()
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:  # nowhere else does Python, or torch, handle signals
            _set_SIGCHLD_handler()  # as the first loader would; once a process
            self._handler = signal.signal(signal.SIGCHLD, self._on_signal)
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if self._main:
            signal.signal(signal.SIGCHLD, self._handler)
            if self._missed and kind is None:
                self._handler(*self._missed)

    def _on_signal(self, *args: Any) -> None:
        if not self._waiting:
            self._missed = args
            return
        self._waiting = False  # one error is enough
        self._handler(*args)
        self._waiting = True

    def next(self, iterator: Iterator[Any]) -> Any:
        """The next item, None at the end.

        Raises:
            RuntimeError: A worker died, now or since the last call.
        """
        try:
            self._waiting = True
            missed, self._missed = self._missed, ()
            if missed:
                self._on_signal(*missed)
            return next(iterator, None)
        finally:
            self._waiting = False


def _leave_out_crashed(dataloader: DataLoader, iterator: Any) -> List[str]:
    """End the workers if some crashed with a clip open, and name the files of those clips."""
    if iterator is None:
        iterator = getattr(dataloader, '_iterator', None)
    workers = getattr(iterator, '_workers', ())
    # What a dying worker sends breaks off before it is dead, and before its exit status is there.
    dying = wait([worker.sentinel for worker in workers], timeout=1)
    for worker in workers:
        if worker.sentinel in dying:
            worker.join(1)
    if not any(map(_has_crashed, workers)):
        return []
    iterator._shutdown_workers()
    dataloader._iterator = None  # of persistent workers: a new one is made
    # Only now: others may have been about to crash, too.
    names = [dataloader.dataset.leave_out(number) for number, worker in enumerate(workers) if _has_crashed(worker)]
    return [name for name in names if name]


def _has_crashed(worker: Any) -> bool:
    return -(worker.exitcode or 0) in CRASHES
