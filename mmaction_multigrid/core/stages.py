"""Stages of training, and the batches of their epochs."""

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from .shapes import Shape


@dataclass(frozen=True)
class Stage:
    """Epochs ``begin`` to ``end`` (exclusive) with one short cycle.

    Attributes:
        begin (int): First epoch.
        end (int): First epoch after the stage.
        shapes (tuple[Shape]): Iteration ``i`` of an epoch uses
            ``shapes[i % len(shapes)]``. The last one is the stage's own
            shape, which sets the lr and the batch-norm splits.
        average_batch_factor (float): Mean over the short cycle, as the
            schedule counts it. Defaults to 1.
        lr_step (int): Decays of the base schedule before this stage.
            Defaults to 0.
        cost_reduction (float, optional): Cost of an epoch of base training
            divided by that of an epoch of the stage. Defaults to None, which
            means ``average_batch_factor``, as all iterations cost the same.
    """
    begin: int
    end: int
    shapes: Tuple[Shape, ...]
    average_batch_factor: float = 1.
    lr_step: int = 0
    cost_reduction: Optional[float] = None

    @property
    def shape(self) -> Shape:
        """Shape: The stage's own shape."""
        return self.shapes[-1]

    @property
    def epochs(self) -> int:
        """int: Length of the stage."""
        return self.end - self.begin


def count_batches(shapes: Sequence[Shape], batch_size: int,
                  clips: int) -> List[int]:
    """Count the batches of each shape of a short cycle in an epoch.

    The clips at the end that fill no batch are dropped.

    Args:
        shapes (Sequence[Shape]): The short cycle, first shape first.
        batch_size (int): Base batch per process, in clips.
        clips (int): Clips of the process in an epoch.

    Returns:
        list[int]: Number of batches of each shape.
    """
    sizes = [batch_size * shape.batch_factor for shape in shapes]
    # Whole short cycles, and as many batches of one more as are full.
    cycles, rest = divmod(clips, sum(sizes))
    counts = [cycles] * len(sizes)
    for i, size in enumerate(sizes):
        if rest < size:
            break
        rest -= size
        counts[i] += 1
    return counts


def find_stage(stages: Sequence[Stage], epoch: int) -> Stage:
    """Return the stage of an epoch, or the last one after the end."""
    # Hooks ask for the stage after the last epoch, too.
    return next((stage for stage in stages if epoch < stage.end), stages[-1])


def stages_to_config(stages: Sequence[Stage]) -> List[dict]:
    """Write stages in the form of ``MultigridBatchSampler.stages``."""
    return [
        dict(epochs=stage.epochs, shapes=[tuple(s) for s in stage.shapes])
        for stage in stages
    ]


def stages_from_config(entries: Sequence[dict]) -> Tuple[Stage, ...]:
    """Read what :func:`stages_to_config` writes.

    Raises:
        KeyError, TypeError, ValueError: An entry has another form.
    """
    stages, begin = [], 0
    for entry in entries:
        try:
            epochs = entry['epochs']
            shapes = tuple(
                Shape(*map(int, shape)) for shape in entry['shapes'])
        except (TypeError, KeyError, ValueError) as error:
            raise type(error)(f'stages: {entry!r} must be a dict of '
                              'epochs and of shapes, a list of '
                              '(batch factor, frames, crop)') from None
        if epochs < 1 or not shapes or min(map(min, shapes)) < 1:
            raise ValueError(f'stages: {entry!r} must have at least one epoch '
                             'and shape, and numbers above 0')
        stages.append(Stage(begin, begin + epochs, shapes))
        begin += epochs
    return tuple(stages)


def bn_group_size(bn_base_size: Optional[int], batch_size: int) -> int:
    """Return the number of clips that batch-norm statistics are over.

    Args:
        bn_base_size (int, optional): The user's setting. None means the base
            batch per GPU, but at most the paper's 8 clips (section 3.4).
        batch_size (int): Base batch per GPU.
    """
    return bn_base_size or min(8, batch_size)
