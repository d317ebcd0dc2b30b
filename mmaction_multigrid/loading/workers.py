"""What data workers do, and which of them crashed."""

import gc
import signal
import threading
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

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
        self._rows = torch.zeros((num_workers + 1, 4), dtype=torch.int64)
        self._rows[:, INDEX] = -1
        self._rows.share_memory_()

    def _row(self):
        worker = get_worker_info()
        i = len(self._rows) - 1 if worker is None else worker.id
        # A loader with more workers is not watched: its counts are dropped.
        rows = self._rows if i < len(self._rows) else self._rows.clone()
        return rows.numpy()[min(i, len(rows) - 1)]

    def count(self, failed: bool) -> None:
        """Count a clip that was tried."""
        row = self._row()
        row[TRIED] += 1
        row[FAILED] += failed

    def totals(self) -> Tuple[int, int]:
        """Sum the clips that were tried, and those that failed."""
        return tuple(self._rows[:, :EPOCH].sum(0).tolist())

    @contextmanager
    def opening(self, epoch: int, index: int) -> Iterator[None]:
        """Have a clip open in the context."""
        row = self._row()
        row[EPOCH], row[INDEX] = epoch, index
        try:
            yield
        finally:
            row[INDEX] = -1

    def pop_open(self, worker: int) -> Optional[Tuple[int, int]]:
        """Return (epoch, index) of a worker's open clip, once."""
        epoch, index = self._rows[worker, EPOCH:].tolist()
        self._rows[worker, INDEX] = -1
        return None if index < 0 else (epoch, index)


class CrashedFiles:
    """Files that ended the data worker that opened them.

    Args:
        path (str, optional): File that keeps their names, and is read if it
            exists. A name has the epoch from which on the file is left out:
            a resumed run opens it before, as the run before did.
    """

    def __init__(self, path: Optional[str] = None) -> None:
        self._path = path
        self._epochs: Dict[str, int] = {}
        if path and Path(path).is_file():
            with open(path, encoding='utf-8', errors='surrogateescape') as f:
                for line in f.read().split('\n'):
                    epoch, tab, name = line.partition('\t')
                    if tab and epoch.isdigit():  # a kill may cut a line off
                        self._leave_out(name, int(epoch))

    def __bool__(self) -> bool:
        return bool(self._epochs)

    def holds(self, name: str, epoch: int) -> bool:
        """Check whether a file is left out in an epoch."""
        return self._epochs.get(name, epoch + 1) <= epoch

    def add(self, name: str, epoch: int) -> None:
        """Leave a file out, in workers that start from now on."""
        self._leave_out(name, epoch)
        if self._path:
            with open(
                    self._path, 'a', encoding='utf-8',
                    errors='surrogateescape') as file:
                file.write(f'{epoch}\t{name}\n')

    def _leave_out(self, name: str, epoch: int) -> None:
        # Workers load ahead, so that a later epoch may come first.
        self._epochs[name] = min(epoch, self._epochs.get(name, epoch))


class DeferredSigchld:
    """Raise the error of a dead worker while a batch is awaited.

    Torch raises it in a handler of SIGCHLD, wherever the main thread is.
    """

    def __enter__(self) -> 'DeferredSigchld':
        self._awaiting, self._missed = False, ()
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:  # no other thread handles signals
            _set_SIGCHLD_handler()  # as the first loader would
            self._handler = signal.signal(signal.SIGCHLD, self._on_signal)
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if self._main:
            signal.signal(signal.SIGCHLD, self._handler)
            if self._missed and kind is None:
                self._handler(*self._missed)

    def _on_signal(self, *args: Any) -> None:
        if not self._awaiting:
            self._missed = args
            return
        self._awaiting = False  # raise one error only
        self._handler(*args)
        self._awaiting = True

    def next(self, iterator: Iterator[Any]) -> Any:
        """Return the next item.

        Raises:
            RuntimeError: A worker died, now or since the last call.
        """
        collects = gc.isenabled()
        try:
            # Python ignores errors that a signal raises in a callback of the
            # garbage collector.
            gc.disable()
            self._awaiting = True
            missed, self._missed = self._missed, ()
            if missed:
                self._on_signal(*missed)
            return next(iterator)
        finally:
            self._awaiting = False
            if collects:
                gc.enable()


def pop_crashed(dataloader: DataLoader, iterator: Any) -> List[str]:
    """End all workers if some crashed, and name the files they had open."""
    if iterator is None:
        iterator = getattr(dataloader, '_iterator', None)
    workers = getattr(iterator, '_workers', ())
    # A worker closes its pipe before its exit status is known.
    dying = wait([worker.sentinel for worker in workers], timeout=1)
    for worker in workers:
        if worker.sentinel in dying:
            worker.join(1)
    if not any(map(_has_crashed, workers)):
        return []
    iterator._shutdown_workers()
    dataloader._iterator = None  # of persistent workers
    # More workers may have crashed in the meantime.
    names = [
        dataloader.dataset.leave_out(i) for i, worker in enumerate(workers)
        if _has_crashed(worker)
    ]
    return [name for name in names if name]


def _has_crashed(worker: Any) -> bool:
    return -(worker.exitcode or 0) in CRASHES
