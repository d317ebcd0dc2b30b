"""Time that training waits for data."""

import shlex
from dataclasses import dataclass
from math import ceil
from time import perf_counter
from typing import Any, Iterable, Iterator, Optional

from mmengine.config import Config

# Shares of the time from which on workers, and a frame store, are advised.
ADVISE_WORKERS, ADVISE_STORE = 0.02, 0.1


@dataclass
class DataTimeMeter:
    """Time of training, and the part of it spent waiting for batches.

    Attributes:
        total (float): Seconds of training.
        waited (float): Seconds of waiting.
    """
    total: float = 0.
    waited: float = 0.

    def measure(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield the batches and measure."""
        begin = asked = perf_counter()
        for batch in batches:
            self.waited += perf_counter() - asked
            yield batch
            asked = perf_counter()
        end = perf_counter()
        self.waited += end - asked
        self.total += end - begin

    @property
    def share(self) -> float:
        """float: Share of the time that was spent waiting."""
        return self.waited / self.total if self.total else 0.

    def enough_workers(self, workers: int) -> int:
        """Compute the workers, of a core each, with which none is spent.

        While a batch is awaited all workers are busy: together they load for
        ``workers * total`` seconds, or without workers for ``waited``
        seconds, and have ``total - waited`` seconds for it.

        Args:
            workers (int): Workers that there were.
        """
        if not self.waited:
            return workers
        loading = self.waited if workers == 0 else workers * self.total
        return ceil(loading / max(self.total - self.waited, 1e-9) - 1e-9)

    def text(self, workers: int, command: Optional[str] = None) -> str:
        """Describe what limited training, with advice.

        Args:
            workers (int): Workers that there were.
            command (str, optional): Command that builds a frame store.
                Defaults to None, which means that there is one, or no file.
        """
        text = (
            f'waiting for data {100 * self.share:.0f} % of {self.total:.3g} s')
        if self.share < ADVISE_WORKERS:
            return text
        count = self.enough_workers(workers)
        text += (f'; {count} data worker{"s" if count > 1 else ""} would have '
                 'been enough, with a core each '
                 f'(train_dataloader.num_workers = {workers})')
        if self.share > ADVISE_STORE and command:
            text += ('; small copies of the videos take less loading: '
                     f'{command}, and multigrid.grid_store = STORE')
        return text


def store_command(cfg: Config, dataset: Any) -> Optional[str]:
    """Write the command that builds a frame store for a run.

    Args:
        cfg (Config): The resolved config.
        dataset: The train dataset; of several the first one counts.

    Returns:
        str, optional: None where the run has a store, or no list of files.
    """
    if 'GridStore' in str(cfg.get('train_dataloader')):
        return None
    while not getattr(dataset, 'ann_file', None):
        parts = getattr(dataset, 'datasets', (None, ))
        dataset = getattr(dataset, 'dataset', parts[0])
        if dataset is None:
            return None
    folders = (dataset.data_prefix or {}).values()
    root = next((folder for folder in folders if folder), '.')
    names = (dataset.ann_file, 'STORE', '--root', root, '--config',
             cfg.filename or 'CONFIG')
    quoted = ' '.join(shlex.quote(str(name)) for name in names)
    return f'python -m mmaction_multigrid store build {quoted}'
