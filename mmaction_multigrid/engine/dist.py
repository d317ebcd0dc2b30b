"""Groups of processes that share batch-norm statistics."""

from functools import lru_cache

import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size


def group_ranks(world_size: int, size: int) -> list:
    """Ranks of each group: ``size`` neighbours, or the next larger number that divides the world.

    Args:
        world_size: Number of processes.
        size: Processes that a group needs.
    """
    size = min(size, world_size)
    while world_size % size:
        size += 1
    return [list(range(begin, begin + size)) for begin in range(0, world_size, size)]


@lru_cache(maxsize=None)
def bn_process_group(size: int):
    """The process group of this rank, of at least ``size`` neighbouring ranks; made once. All ranks must call."""
    own = None
    for ranks in group_ranks(get_world_size(), size):
        group = dist.new_group(ranks)
        if get_rank() in ranks:
            own = group
    return own
