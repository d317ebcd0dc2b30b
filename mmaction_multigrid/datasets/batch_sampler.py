"""The batch sampler that gives every batch its shape."""

from contextlib import contextmanager
from itertools import chain, cycle, islice
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from mmaction.registry import DATA_SAMPLERS
from mmengine.dataset import InfiniteSampler
from torch.utils.data import Sampler

from ..schedule import Segment, Shape, Stage, check_count, count_batches, find_stage, stages_from_config


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
        self._fixed: tuple = ()
        self._instead: Optional[Callable[[], Iterator[list]]] = None
        for stage in self.stages:
            if not self.num_batches(stage.begin):
                size = batch_size * stage.shapes[0].batch_factor
                smaller = ("set multigrid.max_batch_factor = 'auto', or "
                           if self.num_clips >= batch_size else '')
                raise ValueError(
                    f'the {self.num_clips} clips of a process do not fill one '
                    f'batch of {size}, the first of the stage from epoch '
                    f'{stage.begin} on ({stage.shapes[0]}); {smaller}lower '
                    f'train_dataloader.batch_size = {batch_size}')

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

    def length_of(self, segment: Segment) -> int:
        """Exact number of batches in a segment; of a fixed shape one at the least."""
        if segment.shape is None:
            return self.num_batches(segment.epoch)
        return max(1, min(segment.limit, self.num_clips // (self.batch_size * segment.shape.batch_factor)))

    @contextmanager
    def fixed(self, shape: Shape, num_batches: int) -> Iterator[int]:
        """Inside the ``with`` block yield at most ``num_batches`` batches, all of one shape, one at the least.

        The clips are the first of the current epoch's. Yields the number of batches.
        """
        self._fixed = shape, num_batches
        try:
            yield len(self)
        finally:
            self._fixed = ()

    @contextmanager
    def instead(self, batches: Callable[[], Iterator[list]]) -> Iterator[None]:
        """Inside the ``with`` block an iteration is over what this function returns."""
        self._instead = batches
        try:
            yield
        finally:
            self._instead = None

    @property
    def order_follows_epoch(self) -> bool:
        """Whether the order of an epoch's clips is known before it begins."""
        return hasattr(self.sampler, 'set_epoch')

    def in_pieces(self, segment: Segment, max_pieces: int, start: int = 0) -> Iterator[List[list]]:
        """The batches of any segment from ``start`` on, each in up to ``max_pieces`` lists of ``(index, shape, epoch)``.

        None but a batch's last has fewer clips than a base batch. The current epoch stays as it is.
        """
        for batch in islice(self._batches(segment), start, None):
            items = [(*item, segment.epoch) for item in batch]
            size = max(self.batch_size, -(-len(items) // max_pieces))
            yield [items[begin:begin + size] for begin in range(0, len(items), size)]

    def _segment(self) -> Segment:
        return Segment(self.epoch, *self._fixed)

    def __len__(self) -> int:
        return self.length_of(self._segment())

    def __iter__(self) -> Iterator[List[Tuple[int, Shape]]]:
        return self._instead() if self._instead else self._batches(self._segment())

    def _batches(self, segment: Segment) -> Iterator[List[Tuple[int, Shape]]]:
        indices, left = self._indices(segment.epoch), self.num_clips
        stage = self.stages[find_stage(self.stages, segment.epoch)]
        shapes = stage.shapes if segment.shape is None else (segment.shape, )
        for shape in islice(cycle(shapes), self.length_of(segment)):
            size = min(self.batch_size * shape.batch_factor, left)  # a fixed shape may find fewer than it asks for
            left -= size
            yield [(index, shape) for index in islice(indices, size)]

    def _indices(self, epoch: int) -> Iterator[int]:
        if epoch == self.epoch or not self.order_follows_epoch:
            return islice(iter(self.sampler), self.num_clips)
        self.sampler.set_epoch(epoch)
        try:  # a generator looks at the epoch when its first index is asked for
            indices = iter(self.sampler)
            first = list(islice(indices, 1))
        finally:
            self.sampler.set_epoch(self.epoch)
        return islice(chain(first, indices), self.num_clips)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(batch_size={self.batch_size}, stages={len(self.stages)}, '
                f'epoch={self.epoch})')
