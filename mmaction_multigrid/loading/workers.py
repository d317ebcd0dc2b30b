"""Detect crashed data workers, and the clips that they had open."""

import signal
import threading
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, Iterator, List, Optional, Tuple

import torch
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data._utils.signal_handling import _set_SIGCHLD_handler

TRIED, FAILED, EPOCH, INDEX = range(4)
# Signals of native code that has gone wrong. No file causes SIGBUS (shared
# memory ran out) or SIGKILL (memory ran out).
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE)


class WorkerState:
    """Clips that each data worker has tried, and the one it has open.

    Args:
        num_workers (int): Data workers. Defaults to 0.
    """

    def __init__(self, num_workers: int = 0) -> None:
        # The last row is that of the main process. Index -1: nothing open.
        self._rows = torch.tensor([[0, 0, 0, -1]] * (num_workers + 1))
        self._rows.share_memory_()

    def totals(self) -> Tuple[int, int]:
        """Sum the clips that were tried, and those that failed."""
        return tuple(self._rows[:, :EPOCH].sum(0).tolist())

    @contextmanager
    def opening(self, epoch: int, index: int) -> Iterator[None]:
        """Have a clip open in the context, which fails by an error."""
        worker, last = get_worker_info(), len(self._rows) - 1
        # The workers of a loader that is not watched share a row.
        # As an array, whose items are set in a tenth of the time.
        row = self._rows.numpy()[min(worker.id, last) if worker else last]
        row[EPOCH], row[INDEX] = epoch, index
        try:
            yield
        except Exception:
            row[FAILED] += 1
            raise
        finally:
            row[TRIED] += 1
            row[INDEX] = -1

    def pop_open(self, worker: int) -> Optional[Tuple[int, int]]:
        """Return (epoch, index) of a dead worker's open clip, once."""
        row = self._rows[worker]
        epoch, index = row[EPOCH:].tolist()
        if index < 0:
            return None
        row += torch.tensor([1, 1, 0, -1 - index])
        return epoch, index


class DeferredSigchld:
    """Raise the error of a dead worker only while a batch is awaited.

    Torch raises it in a handler of SIGCHLD, wherever the main thread is.
    """

    def __enter__(self) -> 'DeferredSigchld':
        self._handler = None
        # No other thread handles signals.
        if threading.current_thread() is threading.main_thread():
            _set_SIGCHLD_handler()  # as the first loader would
            self._handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return self

    def __exit__(self, *error: Any) -> None:
        if self._handler:
            signal.signal(signal.SIGCHLD, self._handler)

    def next(self, iterator: Iterator[Any]) -> Any:
        """Return the next item.

        Raises:
            RuntimeError: A worker died, now or since the last call.
        """
        if not self._handler:
            return next(iterator)
        try:
            signal.signal(signal.SIGCHLD, self._handler)
            self._handler(signal.SIGCHLD, None)
            return next(iterator)
        finally:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def pop_crashed(dataloader: DataLoader, iterator: Any) -> List[str]:
    """End all workers if some crashed, and name the files they had open."""
    if iterator is None:  # persistent workers
        iterator = getattr(dataloader, '_iterator', None)
    workers = {
        worker.sentinel: worker
        for worker in getattr(iterator, '_workers', ())
    }
    # A worker closes its pipe before its exit status is known.
    for sentinel in wait(workers, timeout=1):
        workers[sentinel].join(1)
    leave_out = getattr(dataloader.dataset, 'leave_out', None)
    if not leave_out or not any(map(_has_crashed, workers.values())):
        return []
    iterator._shutdown_workers()
    dataloader._iterator = None
    # More workers may have crashed in the meantime.
    names = (leave_out(i) for i, worker in enumerate(workers.values())
             if _has_crashed(worker))
    return list(filter(None, names))


def _has_crashed(worker: Any) -> bool:
    return -(worker.exitcode or 0) in CRASHES
