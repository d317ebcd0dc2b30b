"""What each data worker does, in memory that outlives the worker."""

from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple

import torch
from torch.utils.data import get_worker_info

TRIED, FAILED, EPOCH, INDEX = range(4)


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
