"""Who died: data workers that ended, and the clips that they had open."""

import gc
import signal
import threading
from multiprocessing.connection import wait
from typing import Any, Iterator, List

from torch.utils.data import DataLoader
from torch.utils.data._utils.signal_handling import _set_SIGCHLD_handler

# How native code ends a process that it has gone wrong in. Not SIGBUS, which is shared memory that ran out, nor
# SIGKILL, which is the machine's memory: no file is to blame for those.
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE)


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
        collects = gc.isenabled()
        try:
            gc.disable()  # a signal may come in a callback of the collector, and Python swallows what is raised there
            self._waiting = True
            missed, self._missed = self._missed, ()
            if missed:
                self._on_signal(*missed)
            return next(iterator, None)
        finally:
            self._waiting = False
            if collects:
                gc.enable()


def leave_out_crashed(dataloader: DataLoader, iterator: Any) -> List[str]:
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
