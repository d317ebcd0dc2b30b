"""How many updates a schedule leaves, and the largest batches that leave enough of them."""

from dataclasses import replace
from typing import Optional

from .base import BaseTraining
from .describe import count_base_updates, count_updates
from .schedule import MultigridSchedule
from .settings import Settings

# With so many no data set that was tried has suffered; docs/fine-tuning.md has the runs.
ENOUGH_UPDATES = 2000
CAPS = (None, 8, 4, 2, 1)


def enough_updates(base_updates: int) -> int:
    """Updates that a run should make: as many as base training, or :data:`ENOUGH_UPDATES` if those are fewer."""
    return min(base_updates, ENOUGH_UPDATES)


def auto_cap(base: BaseTraining, settings: Settings, batch_size: int, clips: int) -> Optional[int]:
    """What ``max_batch_factor = 'auto'`` stands for: the largest cap that leaves :func:`enough_updates`.

    Args:
        base: The base config's training.
        settings: The ``multigrid`` settings.
        batch_size: Base batch per process.
        clips: Clips of one process.

    Returns:
        int, optional: 8, 4, 2 or 1; None: no cap is needed. 1 where no cap leaves enough.
    """
    for cap in CAPS:
        schedule = MultigridSchedule(base, replace(settings, max_batch_factor=cap))
        if count_updates(schedule, batch_size, clips) >= enough_updates(count_base_updates(schedule, batch_size, clips)):
            return cap
    return CAPS[-1]
