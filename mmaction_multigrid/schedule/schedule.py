"""From a base schedule and the ``multigrid`` settings to stages and learning rates (paper, section 3)."""

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from .lr import LRCurve, PiecewiseLR, step_points
from .settings import Settings
from .shapes import (
    Shape,
    Stage,
    average_batch_factor,
    cost_factor,
    frame_interval_range,
    num_bn_splits,
    scale_shape,
    short_cycle,
)

# Ends of the long cycles, as shares of training, for a base schedule that has no decay points.
CYCLE_ENDS = (1 / 3, 2 / 3, 5 / 6)


@dataclass(frozen=True)
class BaseTraining:
    """What the schedule needs to know of the base config.

    Attributes:
        num_frames (int): Frames of a clip.
        crop_size (int): Side of the crop in pixels.
        max_epochs (int): Epochs of training.
        milestones (tuple[int]): Epochs at which the lr decays.
        gamma (float): Factor of each decay.
        warmup_epochs (float): Length of the warm-up.
        warmup_factor (float): Factor of the lr at which the warm-up starts.
        curves (tuple[LRCurve]): Other schedules of the lr, in epochs of base training.
        frame_multiple (int): The network takes clips of a multiple of so many frames.
    """
    num_frames: int
    crop_size: int
    max_epochs: int
    milestones: Tuple[int, ...] = ()
    gamma: float = 0.1
    warmup_epochs: float = 0.
    warmup_factor: float = 1.
    curves: Tuple[LRCurve, ...] = ()
    frame_multiple: int = 1

    @property
    def shape(self) -> Shape:
        """The base shape."""
        return Shape(1, self.num_frames, self.crop_size)


class MultigridSchedule:
    """Which shapes and which lr factor each epoch of multigrid training has.

    Args:
        base (BaseTraining): The base config's training.
        settings (Settings, optional): The checked ``multigrid`` key. Defaults to the paper's settings.

    Attributes:
        stages (tuple[Stage]): In order, without gaps, none empty; ``dropped`` of them came out too short for that.
        lr (PiecewiseLR): Factor of the base lr at a fractional epoch.

    Raises:
        ValueError: The settings leave no epoch to train.

    Examples:
        >>> schedule = MultigridSchedule(BaseTraining(32, 224, 239, (94, 154, 196)))
        >>> schedule.max_epochs, schedule.stages[0].end, schedule.stages[0].shapes[0]
        (358, 73, Shape(batch_factor=16, num_frames=8, crop_size=112))
    """

    def __init__(self, base: BaseTraining, settings: Optional[Settings] = None) -> None:
        self.base = base
        self.settings = settings or Settings()
        if self.settings.stages is not None:
            stages, points, clock = self._explicit()
        elif self.settings.long_cycle:
            stages, points, clock = self._long_cycle()
        else:
            stages, points, clock = self._stretched()
        self.stages = tuple(stage for stage in stages if stage.epochs)
        self.dropped = len(stages) - len(self.stages)
        if not self.stages:
            raise ValueError(f'multigrid.epoch_factor = {self.settings.epoch_factor}: no epoch is left of the base '
                             f"config's {base.max_epochs}; it must be larger")
        explicit = self.settings.stages is not None
        self.lr = PiecewiseLR(
            points=tuple(step_points(points, self.max_epochs)),
            warmup_epochs=min(base.warmup_epochs, self.max_epochs),
            warmup_factor=base.warmup_factor,
            curves=() if explicit else base.curves,
            clock=tuple(clock))

    @property
    def _factors(self) -> Tuple[float, ...]:
        return self.settings.short_cycle_factors if self.settings.short_cycle else ()

    def _cycle(self, own: Shape, exact_crop: float) -> Tuple[Tuple[Shape, ...], float]:
        """The shapes of the short cycle inside a stage and their average batch factor."""
        args = self._factors, self.settings.short_cycle_reference
        return (short_cycle(self.base.shape, own, *args),
                average_batch_factor(self.base.shape, own, exact_crop, *args))

    def _lr_steps(self) -> List[int]:
        """Epochs of base training at which lr steps begin, 0 first; without decays, where long cycles end."""
        base, ends = self.base, self.settings.cycle_ends
        if ends is None and base.milestones:
            return [0] + list(base.milestones)
        return [0] + [end * base.max_epochs for end in ends or CYCLE_ENDS]

    def _long_cycle(self):
        """Stages, lr points and the clock of base training; in the reference's order of operations."""
        base, steps = self.base, self._lr_steps()
        cycles = [self._long_cycle_shape(factor) for factor in self.settings.long_cycle_factors]
        pieces, iterations = [], 0.
        for lr_step, (begin, end) in enumerate(zip(steps, steps[1:])):
            for shape, crop, weight in cycles:
                epochs = (end - begin) * weight / sum(weight for _, _, weight in cycles)
                iterations += epochs / weight
                pieces.append((lr_step, shape, crop, epochs))
        # Fine-tuning at the full shape saves the same share of iterations as the rest.
        saving = steps[-1] / iterations
        shape, crop, weight = self._long_cycle_shape((1., 1.))
        pieces.append((len(steps) - 1, shape, crop, (base.max_epochs - steps[-1]) / saving * weight))
        stretch = base.max_epochs * self.settings.epoch_factor / sum(piece[-1] for piece in pieces)
        stages, points, clock = [], [], [(0., 0.)]
        begin, total, base_epoch = 0, 0., 0.
        for lr_step, shape, crop, epochs in pieces:
            total += epochs * stretch
            end = int(round(total))
            stages.append(Stage(begin, end, *self._cycle(shape, crop), lr_step))
            points.append((begin, self._decay(lr_step) * shape.batch_factor))
            base_epoch += epochs
            clock.append((end, base_epoch))
            begin = end
        clock[-1] = (begin, base.max_epochs)
        if base.milestones and not self.settings.cycle_ends:
            tuning = stages[-1]
            points[-1] = (tuning.begin, self._decay(tuning.lr_step - 1))
            points.append(((tuning.begin + tuning.end) // 2, self._decay(tuning.lr_step)))
        return stages, points, step_points(clock)

    def _long_cycle_shape(self, factor: Tuple[float, float]) -> Tuple[Shape, float, float]:
        """A shape of the long cycle, its crop before rounding, and its weight in epochs.

        The weight takes the short-cycle crops relative to the base crop whatever ``short_cycle_reference``
        says: that setting changes the batches inside a stage, and neither stage ends nor the lr.
        """
        base = self.base.shape
        shape, crop = scale_shape(base, factor, self.base.frame_multiple), base.crop_size * factor[1]
        return shape, crop, average_batch_factor(base, shape, crop, self._factors, 'default')

    def _decay(self, lr_step: int) -> float:
        return self.base.gamma**lr_step if self.base.milestones else 1.

    def _stretched(self):
        """The base schedule, ``epoch_factor`` times as long, at the full shape (short cycle alone)."""
        base, factor = self.base, self.settings.epoch_factor
        shapes, average = self._cycle(base.shape, base.crop_size)
        begins = [int(step * factor) for step in (0, *base.milestones)]
        max_epochs = int(base.max_epochs * factor)
        ends = [min(begin, max_epochs) for begin in begins[1:]] + [max_epochs]
        stages = [Stage(begin, end, shapes, average, i) for i, (begin, end) in enumerate(zip(begins, ends))]
        points = [(begin, base.gamma**i) for i, begin in enumerate(begins)]
        return stages, points, [(0., 0.), (float(max_epochs), float(base.max_epochs))]

    def _explicit(self):
        """The user's own ``stages``."""
        base, stages, points, begin = self.base, [], [], 0
        for entry in self.settings.stages:
            num_frames = entry.get('num_frames', base.num_frames)
            if num_frames % base.frame_multiple:
                raise ValueError(f'multigrid.stages: num_frames = {num_frames}: the network takes clips of a multiple of '
                                 f'{base.frame_multiple} frames')
            crop_size = entry.get('crop_size', base.crop_size)
            factor = entry.get('batch_factor', cost_factor(base.shape, num_frames, crop_size))
            shapes, _ = self._cycle(Shape(factor, num_frames, crop_size), crop_size)
            average = sum(shape.batch_factor for shape in shapes) / len(shapes)
            stages.append(Stage(begin, begin + entry['epochs'], shapes, average))
            points.append((begin, float(entry.get('lr_factor', factor))))
            begin += entry['epochs']
        return stages, points, []

    @property
    def max_epochs(self) -> int:
        """Epochs of the whole schedule."""
        return self.stages[-1].end

    @property
    def clamped(self) -> List[Tuple[int, int]]:
        """Frames of the long cycle's clips as the factors have them, and as the network can take them, if others."""
        if self.settings.stages is not None or not self.settings.long_cycle:
            return []
        shapes = [(scale_shape(self.base.shape, factor).num_frames, self._long_cycle_shape(factor)[0].num_frames)
                  for factor in self.settings.long_cycle_factors]
        return sorted({pair for pair in shapes if pair[0] != pair[1]})

    @property
    def predicted_speedup(self) -> float:
        """Iterations of base training over iterations of this schedule; all iterations cost the same."""
        return self.base.max_epochs / sum(stage.epochs / stage.average_batch_factor for stage in self.stages)

    @property
    def lr_factors(self) -> List[Tuple[int, float]]:
        """(epoch, factor from there on) relative to the base lr, warm-up left out; for a schedule that is not
        a step function the factor at the start of each stage."""
        if not self.lr.curves:
            return [(int(epoch), factor) for epoch, factor in self.lr.points]
        return [(stage.begin, self.lr.without_warmup(stage.begin)) for stage in self.stages]

    def to_dict(self, batch_size: int, frame_interval: Optional[int] = None) -> dict:
        """The schedule in plain lists and numbers, as ``tools/print_schedule.py --format json`` prints it.

        Args:
            batch_size (int): Base batch per GPU, for the batch-norm splits.
            frame_interval (int, optional): The base config's; None if its clips have none.
        """
        return dict(
            max_epochs=self.max_epochs,
            predicted_speedup=round(self.predicted_speedup, 4),
            lr_factors=[list(point) for point in self.lr_factors],
            stages=[self._stage_dict(stage, batch_size, frame_interval) for stage in self.stages])

    def _stage_dict(self, stage: Stage, batch_size: int, frame_interval: Optional[int]) -> dict:
        interval = None if frame_interval is None else list(
            frame_interval_range(frame_interval, self.base.num_frames, stage.shape.num_frames))
        return dict(
            begin=stage.begin,
            end=stage.end,
            lr_step=stage.lr_step,
            bn_splits=num_bn_splits(batch_size * stage.shape.batch_factor, self.settings.bn_base_size),
            frame_interval=interval,
            shapes=[list(shape) for shape in stage.shapes])


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
