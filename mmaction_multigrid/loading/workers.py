"""Detect crashed data workers, and find the clips that they had open."""

import signal
import threading
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, Iterator, List, Optional, Tuple

import torch
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data._utils.signal_handling import _set_SIGCHLD_handler

# Columns of the state of a worker.
TRIED, FAILED, EPOCH, INDEX = range(4)
# Signals of native code that a broken file can crash. SIGBUS means that shared
# memory ran out, and SIGKILL that memory did: no file is to blame.
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE)


class WorkerState:
    """Counts of the clips of each data worker, and the clip it has open.

    Args:
        num_workers (int): Number of data workers. Defaults to 0.
    """

    def __init__(self, num_workers: int = 0) -> None:
        # The last row is that of the main process. Index -1 means that no
        # clip is open. A crash leaves shared memory as it was.
        self._rows = torch.tensor([[0, 0, 0, -1]] * (num_workers + 1))
        self._rows.share_memory_()

    def totals(self) -> Tuple[int, int]:
        """Return the numbers of clips that were tried and that failed."""
        return tuple(self._rows[:, :EPOCH].sum(0).tolist())

    @contextmanager
    def opening(self, epoch: int, index: int) -> Iterator[None]:
        """Note a clip as open inside the ``with`` block, and count it.

        Args:
            epoch (int): Epoch of the clip.
            index (int): Index of the clip in the dataset.
        """
        worker, last = get_worker_info(), len(self._rows) - 1
        # Workers of a loader that was not announced share the last row. Items
        # of an array are set in a tenth of the time of a tensor's.
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
        """Return (epoch, index) of the clip a dead worker had open, once."""
        row = self._rows[worker]
        epoch, index = row[EPOCH:].tolist()
        if index < 0:
            return None
        # Count the clip as tried and failed, and set the index to -1.
        row += torch.tensor([1, 1, 0, -1 - index])
        return epoch, index


class DeferredSigchld:
    """Defer the error of a dead worker until the next batch is awaited.

    torch raises the error in a signal handler, at any line that the main
    thread is executing.
    """

    def __enter__(self) -> 'DeferredSigchld':
        self._handler = None
        # Only the main thread may set signal handlers.
        if threading.current_thread() is threading.main_thread():
            # torch sets its handler when the first workers start, which is
            # later than here.
            _set_SIGCHLD_handler()
            self._handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return self

    def __exit__(self, *error: Any) -> None:
        if self._handler:
            signal.signal(signal.SIGCHLD, self._handler)

    def next(self, iterator: Iterator[Any]) -> Any:
        """Return the next item.

        Raises:
            RuntimeError: A worker has died since the last call.
        """
        if not self._handler:
            return next(iterator)
        try:
            signal.signal(signal.SIGCHLD, self._handler)
            # For workers that died before: their signals were ignored.
            self._handler(signal.SIGCHLD, None)
            return next(iterator)
        finally:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def pop_crashed(dataloader: DataLoader, iterator: Any) -> List[str]:
    """Stop all workers if one has crashed, and leave out its file.

    Args:
        dataloader (DataLoader): The loader.
        iterator: Its iterator; None if it failed to start.

    Returns:
        list[str]: Names of the files that crashed workers had open.
    """
    # The loader of persistent workers keeps its iterator.
    if iterator is None:
        iterator = getattr(dataloader, '_iterator', None)
    workers = {
        worker.sentinel: worker
        for worker in getattr(iterator, '_workers', ())
    }
    # The pipe of a dead worker closes before its exit status is known.
    for sentinel in wait(workers, timeout=1):
        workers[sentinel].join(1)
    leave_out = getattr(dataloader.dataset, 'leave_out', None)
    if not leave_out or not any(map(_has_crashed, workers.values())):
        return []
    # Persistent workers would be used again, with one missing.
    iterator._shutdown_workers()
    dataloader._iterator = None
    # Now, because more workers may have crashed in the meantime.
    names = (leave_out(i) for i, worker in enumerate(workers.values())
             if _has_crashed(worker))
    return list(filter(None, names))


def _has_crashed(worker: Any) -> bool:
    return -(worker.exitcode or 0) in CRASHES
