"""Stages of training, each with a shape of its own."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .shapes import Shape

PRECISE_BN_EVERY = 20  # iterations
PRECISE_BN_CLIPS, PRECISE_BN_LAST_CLIPS = 32, 200


@dataclass(frozen=True)
class Stage:
    """Epochs ``begin`` to ``end`` (exclusive) of training, in which the short cycle runs over ``shapes``.

    Attributes:
        begin (int): First epoch.
        end (int): First epoch after the stage.
        shapes (tuple[Shape]): Iteration ``i`` of an epoch uses ``shapes[i % len(shapes)]``; the stage's own
            shape, which sets the lr and the batch-norm splits, is the last.
        average_batch_factor (float): Mean over the short cycle, as the schedule counts it.
        lr_step (int): Decays of the base schedule before this stage.
        saving (float, optional): How many times less an epoch computes than one of base training. None: as many times as
            it has fewer iterations, ``average_batch_factor``; then all iterations cost the same.
    """
    begin: int
    end: int
    shapes: Tuple[Shape, ...]
    average_batch_factor: float = 1.
    lr_step: int = 0
    saving: Optional[float] = None

    @property
    def shape(self) -> Shape:
        """The stage's own shape."""
        return self.shapes[-1]

    @property
    def epochs(self) -> int:
        """Length of the stage."""
        return self.end - self.begin

    @property
    def cost(self) -> float:
        """What the stage computes, in epochs of base training."""
        return self.epochs / (self.saving or self.average_batch_factor)

    def eval_epochs(self, freq: int) -> List[int]:
        """Numbers of finished epochs after which to validate: ``freq`` of them, evenly spaced, the end always."""
        count = min(freq, self.epochs)
        return [self.begin + -(-self.epochs * i // count) for i in range(1, count + 1)]


class Segment(NamedTuple):
    """Batches that are asked for in one go.

    Attributes:
        epoch (int): The epoch whose clips they are, in its order.
        shape (Shape, optional): That of all of them; None: those of the epoch's stage, and the whole epoch.
        limit (int): Batches of ``shape`` at the most.
    """
    epoch: int
    shape: Optional[Shape] = None
    limit: int = 0


def precise_bn_batches(limit: int, iterations: int, clips: int, last: bool = False) -> int:
    """Batches of precise BN before an evaluation: a twentieth of the iterations since the one before.

    Each counts as an iteration: it computes a third of one (forwards only), but has base clips to load, the dearest.
    They have :data:`PRECISE_BN_CLIPS` clips at the least: in training a network is normalised by statistics over groups
    of eight at most (``bn_base_size``), and those over four times as many have half of their error. Before the last
    evaluation they have :data:`PRECISE_BN_LAST_CLIPS`, since its weights are the run's outcome: statistics over 32 clips
    moved the accuracy of two small runs by two points up or down, those over 400 by half a point (docs/results).

    Args:
        limit: ``precise_bn``; never more than these.
        iterations: Since the evaluation before, or the start of training.
        clips: In the base batch of all processes.
        last: Whether the evaluation is the run's last.
    """
    least = PRECISE_BN_LAST_CLIPS if last else PRECISE_BN_CLIPS
    return min(limit, max(iterations // PRECISE_BN_EVERY, -(-least // clips)))


def count_batches(shapes: Sequence[Shape], batch_size: int, clips: int) -> List[int]:
    """Batches of each shape of a short cycle that an epoch of one process has; a rest that fills none is dropped.

    Args:
        shapes: The short cycle; the first shape comes first.
        batch_size: Base batch.
        clips: Clips of the process in an epoch.
    """
    sizes = [batch_size * shape.batch_factor for shape in shapes]
    cycles, rest = divmod(clips, sum(sizes))
    counts = [cycles] * len(sizes)
    for i, size in enumerate(sizes):
        if rest < size:
            break
        rest -= size
        counts[i] += 1
    return counts


def count_iterations(stages: Sequence[Stage], batch_size: int, clips: int) -> Dict[Shape, int]:
    """Iterations that one process makes at each shape in the whole of training; the arguments as above."""
    total: Dict[Shape, int] = {}
    for stage in stages:
        for shape, count in zip(stage.shapes, count_batches(stage.shapes, batch_size, clips)):
            total[shape] = total.get(shape, 0) + stage.epochs * count
    return total


def find_stage(stages: Sequence[Stage], epoch: int) -> int:
    """Index of the stage that holds ``epoch``; the last stage's from its end on.

    Args:
        stages: Stages in order, without gaps.
        epoch: Epoch, counted from 0.
    """
    return min(bisect_right([stage.end for stage in stages], epoch), len(stages) - 1)


def stages_to_config(stages: Sequence[Stage]) -> List[dict]:
    """Stages as the plain dicts that the batch sampler takes in a config."""
    return [dict(epochs=stage.epochs, shapes=[tuple(shape) for shape in stage.shapes]) for stage in stages]


def stages_from_config(entries: Sequence[dict]) -> Tuple[Stage, ...]:
    """Read what :func:`stages_to_config` wrote.

    Raises:
        TypeError, ValueError: An entry is not of that form.
    """
    stages, begin = [], 0
    for entry in entries:
        try:
            epochs, shapes = entry['epochs'], tuple(Shape(*map(int, shape)) for shape in entry['shapes'])
        except (TypeError, KeyError, ValueError) as error:
            raise type(error)(f'stages: {entry!r} must be a dict of epochs and of shapes, a list of (batch factor, '
                              'frames, crop)') from None
        if epochs < 1 or not shapes or any(number < 1 for shape in shapes for number in shape):
            raise ValueError(f'stages: {entry!r} must have at least one epoch and shape, and numbers above 0')
        stages.append(Stage(begin, begin + epochs, shapes))
        begin += epochs
    return tuple(stages)
