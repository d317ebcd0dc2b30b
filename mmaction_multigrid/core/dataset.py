"""Dataset wrapper that sets the shape of the clip being loaded.

The shape travels with the index and is set around ``dataset[index]``, so that
all of the wrapped dataset's code sees it, and no other code does.
"""

import random
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Iterator, NamedTuple, Optional, Tuple, Union

import numpy as np
import torch
from torch.utils.data import get_worker_info

from mmaction.registry import DATASETS
from .batch_sampler import is_positive_int
from .shapes import Shape


class ClipShape(NamedTuple):
    """Shape of a clip, together with the base config's.

    Attributes:
        num_frames (int): Frames of the clip.
        crop_size (int): Side of its crop in pixels.
        base_frames (int): Frames of the base config's clip.
        base_crop (int): Side of the base config's crop in pixels.
    """
    num_frames: int
    crop_size: int
    base_frames: int
    base_crop: int

    @property
    def is_base(self) -> bool:
        """bool: Whether this is the base shape."""
        return self[:2] == self[2:]


# A context variable, unlike a global, is right in threads and when a dataset
# loads another clip while it loads one.
_context: ContextVar[Tuple[Optional[ClipShape], int]] = ContextVar(
    'multigrid_clip', default=(None, -1))


def current_shape() -> Optional[ClipShape]:
    """Return the shape of the clip being loaded; None is the base shape."""
    return _context.get()[0]


def current_epoch() -> int:
    """Return the epoch of the clip being loaded; -1 where there is none."""
    return _context.get()[1]


@contextmanager
def clip_shape(shape: ClipShape, epoch: int = -1) -> Iterator[None]:
    """Load clips of a shape inside the ``with`` block."""
    token = _context.set((shape, epoch))
    try:
        yield
    finally:
        _context.reset(token)


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Seed Python, numpy and torch (CPU) inside the ``with`` block.

    The generators are restored afterwards, except in data workers, which draw
    random numbers for nothing else.

    Args:
        numbers (int): Integers of at least 0.
    """
    states = None if get_worker_info() else (random.getstate(),
                                             np.random.get_state(),
                                             torch.get_rng_state())
    # A sequence mixes the numbers: (1, 2) and (2, 1) give unrelated seeds.
    seeds = np.random.SeedSequence(numbers).generate_state(3).tolist()
    random.seed(seeds[0])
    np.random.seed(seeds[1])
    # torch.manual_seed would also seed the GPUs.
    torch.random.default_generator.manual_seed(seeds[2])
    try:
        yield
    finally:
        if states:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])


class DatasetWrapper:
    """Base of wrappers with the length and attributes of ``dataset``."""

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        # Copy and pickle ask for attributes before __init__ has set the
        # dataset, which would recurse without end.
        if name.startswith('__') or name == 'dataset':
            raise AttributeError(name)
        return getattr(self.dataset, name)


@DATASETS.register_module()
class MultigridDataset(DatasetWrapper):
    """Load items ``(index, shape)`` from a dataset.

    The dataset's pipeline must hold :class:`MultigridTransform`. A plain
    index loads the clip in the base shape. After :meth:`set_epoch` the random
    numbers of a clip follow from seed, epoch and index alone, so that they
    depend neither on the number of workers nor on a resume. An item ``(index,
    shape, epoch)`` uses the random numbers of that epoch. All other
    attributes are those of the wrapped dataset.

    Args:
        dataset (dict or Dataset): The dataset to wrap, which may be a repeat
            or concat dataset.
        base_shape (tuple[int, int]): Frames and crop of the base config.

    Raises:
        ValueError: ``base_shape`` is impossible.
    """

    def __init__(self, dataset: Union[dict, Any],
                 base_shape: Tuple[int, int]) -> None:
        if len(base_shape) != 2 or not all(map(is_positive_int, base_shape)):
            raise ValueError(f'base_shape = {base_shape!r}: must be frames '
                             'and crop of the base config, above 0')
        self.dataset = (
            DATASETS.build(dataset) if isinstance(dataset, dict) else dataset)
        self.base_shape = tuple(base_shape)
        # Persistent workers are started once, so that they see a later
        # epoch only in shared memory. -1 means that set_epoch was not called.
        self._clock = torch.full((2, ), -1, dtype=torch.int64).share_memory_()

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Seed each clip by ``(seed, epoch, index)`` from now on."""
        self._clock[0], self._clock[1] = seed, epoch

    def __getitem__(self, item: Union[int, Tuple[int, Shape],
                                      Tuple[int, Shape, int]]) -> Any:
        if not isinstance(item, tuple):
            return self.dataset[item]
        index, shape, *ahead = item
        seed, epoch = self._clock.tolist()
        # Workers load ahead of the epoch that the hook has set.
        if ahead and epoch >= 0:
            epoch, = ahead
        # The batch factor, shape[0], does not concern a single clip.
        shape = ClipShape(*shape[1:], *self.base_shape)
        with clip_shape(shape, epoch):
            if epoch < 0:
                return self.dataset[index]
            with seeded(seed, epoch, index):
                return self.dataset[index]
