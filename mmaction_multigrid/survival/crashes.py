"""Files that end the process that opens them, as some damaged ones do in native decoders."""

from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Dict, Iterator, NamedTuple, Optional

import torch
from torch.utils.data import get_worker_info


class CrashedFile(RuntimeError):
    """A file is not opened, since it ended the process that last did."""


class OpenClip(NamedTuple):
    """Epoch and index of a clip that is being loaded."""
    epoch: int
    index: int


class Crashes:
    """Remembers the clip that each data worker has open, and the files that ended a worker.

    Args:
        num_workers (int): Data workers. Defaults to 0: then nothing can be remembered of a process that ends.
        path (str, optional): File that the names are kept in, and read from if it is there. Each has the epoch that it
            was met in: before that, a resumed run opens it, as the run before did.
    """

    def __init__(self, num_workers: int = 0, path: Optional[str] = None) -> None:
        # Epoch and index. Shared memory outlives the worker that wrote to it. Negative index: no clip is open.
        self._open = torch.full((num_workers, 2), -1, dtype=torch.int64).share_memory_()
        self._path = path
        self._epochs: Dict[str, int] = {}
        if path and Path(path).is_file():
            for line in Path(path).read_text(encoding='utf-8', errors='surrogateescape').split('\n'):
                epoch, tab, name = line.partition('\t')
                if tab and epoch.isdigit():  # not the rest of a line that a kill cut off
                    self._leave_out(name, int(epoch))

    @contextmanager
    def opening(self, index: int, epoch: int, name: Callable[[int], str]) -> Iterator[None]:
        """Around the loading of a clip.

        Raises:
            CrashedFile: It ended a worker in this epoch or before.
        """
        if self._epochs and self._epochs.get(name(index), epoch + 1) <= epoch:
            raise CrashedFile('ended the process that opened it')
        worker = get_worker_info()
        if worker is None or worker.id >= len(self._open):  # a loader that nobody watches
            yield
            return
        slot = self._open[worker.id].numpy()  # the same memory
        slot[0] = epoch
        slot[1] = index
        try:
            yield
        finally:
            slot[1] = -1

    def blame(self, worker: int) -> Optional[OpenClip]:
        """The clip that a worker had open, None if it had none; asked for once."""
        clip = OpenClip(*self._open[worker].tolist())
        self._open[worker] = -1
        return None if clip.index < 0 else clip

    def add(self, name: str, epoch: int) -> None:
        """Have a file not opened again, from this epoch on, by the workers that are started next."""
        self._leave_out(name, epoch)
        if self._path:
            with open(self._path, 'a', encoding='utf-8', errors='surrogateescape') as file:
                file.write(f'{epoch}\t{name}\n')

    def _leave_out(self, name: str, epoch: int) -> None:
        """Workers load ahead of the training, so that a later epoch may be met first."""
        self._epochs[name] = min(epoch, self._epochs.get(name, epoch))
