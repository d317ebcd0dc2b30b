"""Batch sampler that gives every batch its clip shape."""

from itertools import cycle, islice
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import Sampler

from mmaction.registry import DATA_SAMPLERS
from .shapes import Shape
from .stages import Stage, count_batches, find_stage, stages_from_config

TRAIN, PRECISE_BN = 'train', 'precise_bn'


def is_positive_int(value) -> bool:
    """Check for an integer of at least 1."""
    # bool is a subclass of int in Python.
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


class RunBatch(NamedTuple):
    """One batch of a run.

    Attributes:
        epoch (int): Epoch of the batch, counted from 0.
        number (int): Place in the epoch, counted from 0. The batches of
            precise BN come after those of training.
        purpose (str): ``'train'`` or ``'precise_bn'``.
        shape (Shape): Shape of the clips.
        num_clips (int): Number of clips.
    """
    epoch: int
    number: int
    purpose: str
    shape: Shape
    num_clips: int


@DATA_SAMPLERS.register_module()
class MultigridBatchSampler(Sampler):
    """Yield batches of clips, each with the shape of its place in an epoch.

    Shapes and lengths follow from the epoch and the number of clips alone,
    so that all processes have the same shapes in the same order. The clips at
    the end of an epoch that fill no batch are dropped, as in the reference
    implementation.

    An iterator yields the batches of the current epoch, as lists of items
    ``(index, shape)``. After :meth:`start_run` it yields those of all epochs
    from there to the end of training, with the batches of precise BN, as
    lists of items ``(index, shape, epoch)``.

    Args:
        sampler (Sampler): Sampler of indices; must have a length.
        batch_size (int): Base batch per GPU, in clips.
        stages (Sequence[dict]): ``dict(epochs=int, shapes=[(batch factor,
            frames, crop), ...])`` in order. The last shape of each is the
            stage's own.

    Raises:
        TypeError: The sampler has no length or no end.
        ValueError: A setting is impossible, or a batch exceeds the dataset.
    """

    def __init__(self, sampler: Sampler, batch_size: int,
                 stages: Sequence[dict]) -> None:
        if not is_positive_int(batch_size):
            raise ValueError(f'batch_size = {batch_size!r}: must be an '
                             'integer of at least 1')
        if not hasattr(sampler, '__len__') or isinstance(
                sampler, InfiniteSampler):
            raise TypeError('train_dataloader.sampler: multigrid trains in '
                            'epochs and needs a sampler with a length and an '
                            'end, such as DefaultSampler; '
                            f'{type(sampler).__name__} is none')
        self.sampler = sampler
        self.batch_size = batch_size
        self.stages = stages_from_config(stages)
        self.epoch = 0
        # MultigridHook sets it, because a resume restores the seed later.
        self.seed = 0
        # Pieces of a batch at most, for a loader that joins them again.
        self.max_pieces = 1
        # Shape and number of the batches that follow after an epoch.
        self._precise_bn: Dict[int, Tuple[Shape, int]] = {}
        self._run_start: Optional[Tuple[int, int]] = None
        # Fail before training rather than at the first empty epoch.
        # Shapes take turns from the largest batch on: if that one is full,
        # the epoch has at least one iteration.
        for stage in self.stages:
            if not self.num_batches(stage.begin):
                size = batch_size * stage.shapes[0].batch_factor
                smaller = ('lower multigrid.max_batch_factor, or '
                           if self.num_clips >= batch_size else '')
                raise ValueError(f'the {self.num_clips} clips of a process do '
                                 f'not fill one batch of {size}, the first of '
                                 f'the stage from epoch {stage.begin} on '
                                 f'({stage.shapes[0]}); {smaller}lower '
                                 f'train_dataloader.batch_size = {batch_size}')

    @property
    def num_clips(self) -> int:
        """int: Clips of this process in an epoch, as in every process."""
        # Without rounding up, the last processes have one clip less.
        if getattr(self.sampler, 'round_up', True):
            return len(self.sampler)
        return len(self.sampler.dataset) // self.sampler.world_size

    @property
    def stage(self) -> Stage:
        """Stage: The stage of the current epoch."""
        return find_stage(self.stages, self.epoch)

    @property
    def max_epochs(self) -> int:
        """int: Epochs of all stages."""
        return self.stages[-1].end

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, counted from 0."""
        self.epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def set_precise_bn(self, epoch: int, shape: Shape, limit: int) -> None:
        """Let at most ``limit`` batches of a shape follow an epoch.

        They have the first clips of the epoch.
        """
        most = self.num_clips // (self.batch_size * shape.batch_factor)
        self._precise_bn[epoch] = shape, max(1, min(limit, most))

    def num_batches(self, epoch: int) -> int:
        """Count the batches of training in an epoch."""
        shapes = find_stage(self.stages, epoch).shapes
        return sum(count_batches(shapes, self.batch_size, self.num_clips))

    def batches(self, epoch: int) -> List[RunBatch]:
        """List the batches of an epoch, those of precise BN last."""
        count = self.num_batches(epoch)
        shape, more = self._precise_bn.get(epoch, (None, 0))
        # Shapes take turns; precise BN follows after the batches of training.
        order = [
            *islice(cycle(find_stage(self.stages, epoch).shapes), count),
            *[shape] * more
        ]
        sizes = {
            shape: min(self.batch_size * shape.batch_factor, self.num_clips)
            for shape in set(order)
        }
        return [
            RunBatch(epoch, i, TRAIN if i < count else PRECISE_BN, shape,
                     sizes[shape]) for i, shape in enumerate(order)
        ]

    def start_run(self, epoch: int, number: int = 0) -> None:
        """Start the next iteration at a batch and end it with training."""
        self._run_start = epoch, number

    def piece_size(self, num_clips: int) -> int:
        """Compute the clips of a piece of a batch; the last may have fewer."""
        # Pieces below the base batch would cost more in messages between
        # processes than they gain.
        return max(self.batch_size, -(-num_clips // self.max_pieces))

    def __len__(self) -> int:
        return self.num_batches(self.epoch)

    def __iter__(self) -> Iterator[List[tuple]]:
        if self._run_start is None:
            for batch, indices in self._iter_epoch(self.epoch):
                if batch.purpose == TRAIN:
                    yield [(index, batch.shape) for index in indices]
            return
        first, number = self._run_start
        # One iterator over all epochs: the workers of a DataLoader load ahead
        # across the end of an epoch only inside of one iterator.
        for epoch in range(first, self.max_epochs):
            for batch, indices in self._iter_epoch(epoch):
                # A resume may start in the middle of an epoch.
                if (epoch, batch.number) < (first, number):
                    continue
                size = self.piece_size(len(indices))
                for i in range(0, len(indices), size):
                    yield [(index, batch.shape, epoch)
                           for index in indices[i:i + size]]

    def _iter_epoch(self, epoch: int) -> Iterator[Tuple[RunBatch, List[int]]]:
        order = self._order(epoch)
        # Precise BN starts again with the first clips of the epoch.
        used = {TRAIN: 0, PRECISE_BN: 0}
        for batch in self.batches(epoch):
            begin = used[batch.purpose]
            used[batch.purpose] = end = begin + batch.num_clips
            yield batch, order[begin:end]

    def _order(self, epoch: int) -> List[int]:
        """Draw the order of an epoch's clips, also ahead of the epoch."""
        if not hasattr(self.sampler, 'set_epoch'):
            # Such a sampler draws from torch's generator.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed + epoch)
                return list(islice(self.sampler, self.num_clips))
        try:
            self.sampler.set_epoch(epoch)
            return list(islice(self.sampler, self.num_clips))
        finally:
            # The caller may be ahead of the epoch that is being trained.
            self.sampler.set_epoch(self.epoch)
