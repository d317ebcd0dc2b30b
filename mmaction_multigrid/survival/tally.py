"""How many clips were tried, and how many of them failed, in all data workers of a process."""

from typing import Tuple

import torch
from torch.utils.data import get_worker_info


class Tally:
    """Counts in shared memory; each worker has a slot of its own, so that no two add to one.

    Args:
        num_workers (int): Data workers. Defaults to 0.
    """

    def __init__(self, num_workers: int = 0) -> None:
        # Tried and failed; the last slot is of the process that the workers belong to.
        self._counts = torch.zeros((num_workers + 1, 2), dtype=torch.int64).share_memory_()

    def add(self, failed: bool) -> None:
        """Count a clip."""
        worker = get_worker_info()
        slot = -1 if worker is None else worker.id
        counts = self._counts.numpy()  # the same memory; a tenth of the time
        if slot < len(counts) - 1:  # else of a loader that nobody watches
            counts[slot, 0] += 1
            counts[slot, 1] += failed

    def total(self) -> Tuple[int, int]:
        """Clips that were tried, and those that failed."""
        tried, failed = self._counts.sum(0).tolist()
        return tried, failed
