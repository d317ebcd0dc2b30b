"""The batch sampler that gives every batch its shape."""

from contextlib import contextmanager
from itertools import cycle, islice
from typing import Iterator, List, Optional, Sequence, Tuple

from mmaction.registry import DATA_SAMPLERS
from mmengine.dataset import InfiniteSampler
from torch.utils.data import Sampler

from ..schedule import Shape, Stage, check_count, count_batches, find_stage, stages_from_config


@DATA_SAMPLERS.register_module()
class MultigridBatchSampler(Sampler):
    """Yields batches of ``(index, shape)``: of the epoch's stage, through its short cycle, largest batch first.

    Batches depend on the epoch and the number of clips only, so that every process has the same shapes in the
    same order. A batch of shape ``s`` has ``batch_size * s.batch_factor`` clips. Clips at the end of an epoch that do not
    fill their batch are dropped, as by the reference implementation; with shuffling they are others in every epoch.

    Args:
        sampler (Sampler): Yields the indices of this process; must have a length.
        batch_size (int): Base batch per GPU.
        stages (Sequence[dict]): ``dict(epochs=int, shapes=[(batch factor, frames, crop), ...])`` in order; a
            stage's own shape is its last.

    Raises:
        TypeError: The sampler has no length, or no end.
        ValueError: A setting is impossible, or a stage's largest batch exceeds the data set.
    """

    def __init__(self, sampler: Sampler, batch_size: int, stages: Sequence[dict]) -> None:
        check_count('batch_size', batch_size)
        if not hasattr(sampler, '__len__') or isinstance(sampler, InfiniteSampler):
            raise TypeError('train_dataloader.sampler: multigrid trains in epochs and needs a sampler with a length and '
                            f'an end, such as DefaultSampler; {type(sampler).__name__} is none')
        self.sampler = sampler
        self.batch_size = batch_size
        self.stages = stages_from_config(stages)
        self.epoch = 0
        self._fixed: Optional[Tuple[Shape, int]] = None
        self._start = 0
        self._max_pieces = 1
        for stage in self.stages:
            if not self.num_batches(stage.begin):
                size = batch_size * stage.shapes[0].batch_factor
                raise ValueError(
                    f'the {self.num_clips} clips of a process do not fill one batch of {size}, the first of the stage '
                    f'from epoch {stage.begin} on ({stage.shapes[0]}); lower train_dataloader.batch_size = '
                    f'{batch_size} or use coarse shapes with a smaller batch')

    @property
    def num_clips(self) -> int:
        """Clips of this process in an epoch, the same on every process."""
        if getattr(self.sampler, 'round_up', True):
            return len(self.sampler)
        return len(self.sampler.dataset) // self.sampler.world_size

    @property
    def base_batches(self) -> float:
        """Batches of an epoch of base training; the rest that does not fill one counts as a part."""
        return self.num_clips / self.batch_size

    @property
    def stage(self) -> Stage:
        """The stage of the current epoch."""
        return self.stages[find_stage(self.stages, self.epoch)]

    @property
    def max_epochs(self) -> int:
        """Epochs of all stages."""
        return self.stages[-1].end

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, counted from 0; the wrapped sampler too."""
        self.epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def shape_at(self, batch_idx: int) -> Shape:
        """Shape of a batch of the current epoch."""
        return self.stage.shapes[batch_idx % len(self.stage.shapes)]

    def num_batches(self, epoch: int) -> int:
        """Exact number of batches in an epoch."""
        return sum(count_batches(self.stages[find_stage(self.stages, epoch)].shapes, self.batch_size, self.num_clips))

    @contextmanager
    def fixed(self, shape: Shape, num_batches: int) -> Iterator[int]:
        """Inside the ``with`` block yield at most ``num_batches`` batches, all of one shape, one at the least.

        The clips are the first of the current epoch's. Yields the number of batches.
        """
        count = max(1, min(num_batches, self.num_clips // (self.batch_size * shape.batch_factor)))
        self._fixed = shape, count
        try:
            yield count
        finally:
            self._fixed = None

    @contextmanager
    def starting_at(self, batch_idx: int) -> Iterator[None]:
        """What is iterated over inside the ``with`` block leaves out the batches before this one."""
        self._start = batch_idx
        try:
            yield
        finally:
            self._start = 0

    @contextmanager
    def in_pieces(self, max_pieces: int) -> Iterator[List[int]]:
        """What is iterated over inside the ``with`` block are up to ``max_pieces`` pieces of each batch, in order.

        None but a batch's last has fewer clips than a base batch. Yields the number of pieces of every batch.
        """
        self._max_pieces = max_pieces
        try:
            yield [-(-size // self._piece_size(size)) for size in self._sizes()]
        finally:
            self._max_pieces = 1

    def _piece_size(self, size: int) -> int:
        return max(self.batch_size, -(-size // self._max_pieces))

    def __len__(self) -> int:
        return self._fixed[1] if self._fixed else self.num_batches(self.epoch)

    def __iter__(self) -> Iterator[List[Tuple[int, Shape]]]:
        batches = islice(self._batches(), self._start, None)
        return self._cut(batches) if self._max_pieces > 1 else batches

    def _batches(self) -> Iterator[List[Tuple[int, Shape]]]:
        indices = islice(iter(self.sampler), self.num_clips)
        for shape, size in zip(cycle(self._shapes()), self._sizes()):
            yield [(index, shape) for index in islice(indices, size)]

    def _cut(self, batches: Iterator[list]) -> Iterator[list]:
        for batch in batches:
            size = self._piece_size(len(batch))
            yield from (batch[begin:begin + size] for begin in range(0, len(batch), size))

    def _shapes(self) -> Sequence[Shape]:
        return (self._fixed[0], ) if self._fixed else self.stage.shapes

    def _sizes(self) -> Iterator[int]:
        """Clips of each batch; a fixed shape may find fewer than it asks for."""
        left = self.num_clips
        for shape in islice(cycle(self._shapes()), len(self)):
            size = min(self.batch_size * shape.batch_factor, left)
            left -= size
            yield size

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(batch_size={self.batch_size}, stages={len(self.stages)}, '
                f'epoch={self.epoch})')
