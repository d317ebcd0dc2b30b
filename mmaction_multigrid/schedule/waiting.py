"""What limits training: its loader or its network."""

from dataclasses import dataclass
from math import ceil
from time import perf_counter
from typing import Any, Iterable, Iterator, Optional

WORTH_SAYING = 0.02  # of the time
WORTH_A_STORE = 0.1
_END = object()


@dataclass
class Waiting:
    """Seconds that training took, and those of them in which the next batch was waited for.

    Attributes:
        total (float): Seconds of training, waiting among them.
        waited (float): Seconds of waiting.
    """
    total: float = 0.
    waited: float = 0.

    def measured(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The batches; what they are waited for, and what is done with them, is added up."""
        iterator = iter(batches)
        while True:
            begin = perf_counter()
            batch = next(iterator, _END)
            ready = perf_counter()
            self.waited += ready - begin
            self.total += ready - begin
            if batch is _END:
                return
            yield batch
            self.total += perf_counter() - ready

    @property
    def share(self) -> float:
        """Share of the time that went by in waiting."""
        return self.waited / self.total if self.total else 0.

    def enough_workers(self, workers: int) -> int:
        """Workers with which nothing would have been waited for, if each had a core.

        Where batches are waited for, all workers are at work: together they have loaded for ``workers * total`` seconds,
        or for ``waited`` without workers, and have ``total - waited`` seconds for it.

        Args:
            workers: Those that there were; 0: the main process loads.
        """
        if not self.waited:
            return workers
        loading = self.waited if workers == 0 else workers * self.total
        return ceil(loading / max(self.total - self.waited, 1e-9) - 1e-9)

    def text(self, workers: int, store_command: Optional[str] = None) -> str:
        """What limited training, and what to do about it.

        Args:
            workers: Those that there were.
            store_command: The command that builds a grid store, None where there is one, or nothing to build it of.
        """
        text = f'waiting for data {100 * self.share:.0f} % of {self.total:.3g} s'
        if self.share < WORTH_SAYING:
            return text
        count = self.enough_workers(workers)
        text += (f'; {count} data worker{"s" if count > 1 else ""} would have been enough, with a core each '
                 f'(train_dataloader.num_workers = {workers})')
        if self.share > WORTH_A_STORE and store_command:
            text += f'; small copies of the videos take less loading: {store_command}, and multigrid.grid_store = STORE'
        return text
