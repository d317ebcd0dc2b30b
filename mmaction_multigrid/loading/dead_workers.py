"""Detect crashed data workers."""

import gc
import signal
import threading
from multiprocessing.connection import wait
from typing import Any, Iterator, List

from torch.utils.data import DataLoader
from torch.utils.data._utils.signal_handling import _set_SIGCHLD_handler

# Signals of native code that has gone wrong. No file causes SIGBUS (shared
# memory ran out) or SIGKILL (memory ran out).
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE)


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
