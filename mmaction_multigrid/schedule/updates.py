"""How many updates a schedule leaves, and the largest batches that leave enough of them."""

from dataclasses import replace

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


def auto_settings(base: BaseTraining, settings: Settings, batch_size: int, clips: int) -> Settings:
    """What ``max_batch_factor = 'auto'`` stands for: the largest cap that leaves :func:`enough_updates`.

    Of no cap, 8, 4, 2 and 1; 1 where none leaves enough. With 1, beside a long cycle, there is no short one: it could
    make no batch larger, and two of its three iterations would be at coarser crops than the stage's, the last stage's
    too, whose full clips are what a short run has too few of.

    Args:
        base: The base config's training.
        settings: The ``multigrid`` settings.
        batch_size: Base batch per process.
        clips: Clips of one process.
    """
    for cap in CAPS:
        found = replace(settings, max_batch_factor=cap)
        if cap == CAPS[-1] and settings.long_cycle and settings.stages is None:
            found = replace(found, short_cycle=False)
        schedule = MultigridSchedule(base, found)
        if count_updates(schedule, batch_size, clips) >= enough_updates(count_base_updates(schedule, batch_size, clips)):
            break
    return found
