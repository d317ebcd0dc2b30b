"""From a base schedule and the ``multigrid`` settings to stages and learning rates (paper, section 3)."""

from itertools import accumulate
from typing import List, Optional, Sequence, Tuple

from .base import NEARLY, BaseTraining
from .describe import describe
from .lr import PiecewiseLR, Span, step_points
from .settings import AUTO, COST, LR_EXPONENTS, Settings
from .shapes import Grid, Shape, cap_batches, mean_batch_factor, saving_of
from .stages import Stage

# Ends of the long cycles, as shares of training, for a base schedule that has no decay points.
CYCLE_ENDS = (1 / 3, 2 / 3, 5 / 6)


class MultigridSchedule:
    """Which shapes and which lr factor each epoch of multigrid training has.

    Args:
        base (BaseTraining): The base config's training.
        settings (Settings, optional): The checked ``multigrid`` key. Defaults to the paper's settings.

    Attributes:
        stages (tuple[Stage]): In order, without gaps, none empty; ``dropped`` of them came out too short for that.
        lr (PiecewiseLR): Factor of the base lr at a fractional epoch.

    Raises:
        ValueError: The settings leave no epoch to train, or ``max_batch_factor`` is ``'auto'``, which the number of
            clips has to be known for: ``multigrid_schedule`` sets a number in its place.

    Examples:
        >>> schedule = MultigridSchedule(BaseTraining(32, 224, 239, (94, 154, 196)))
        >>> schedule.max_epochs, schedule.stages[0].end, schedule.stages[0].shapes[0]
        (358, 73, Shape(batch_factor=16, num_frames=8, crop_size=112))
    """

    def __init__(self, base: BaseTraining, settings: Optional[Settings] = None) -> None:
        self.base = base
        self.settings = settings or Settings()
        if self.settings.max_batch_factor == AUTO:
            raise ValueError("multigrid.max_batch_factor = 'auto': has to be an integer or None here")
        self.grid = self._make_grid()
        if self.settings.stages is not None:
            stages, points, clock = self._explicit()
        elif self.settings.long_cycle:
            stages, points, clock = self._long_cycle()
        else:
            stages, points, clock = self._stretched()
        self.stages = tuple(stage for stage in stages if stage.epochs)
        self.dropped = len(stages) - len(self.stages)
        if not self.stages:
            factor = self.settings.epoch_factor
            raise ValueError(
                f'multigrid.epoch_factor = {factor}: leaves no epoch of '
                f'train_cfg.max_epochs = {base.max_epochs}; it takes at least '
                f'{self._least_epochs()} epochs')
        self.lr = PiecewiseLR(
            points=tuple(step_points(points, self.max_epochs)),
            warmup_epochs=base.warmup_epochs,
            warmup_factor=base.warmup_factor,
            curve=base.curve,
            clock=tuple(clock))

    def _make_grid(self) -> Grid:
        base, settings = self.base, self.settings
        listed = settings.batch_factors
        return Grid(
            base.shape, settings.short_cycle_factors if settings.short_cycle else (), settings.short_cycle_reference,
            base.frame_multiple, settings.crop_multiple or base.crop_multiple,
            None if listed == COST else {
                (frames, crop): factor for frames, crop, factor in listed})

    def _stage(self, begin: int, end: int, own: Shape, exact_crop: float, lr_step: int) -> Stage:
        """A stage with its short cycle, no batch above the cap.

        The cap changes how many updates an epoch makes, not how many epochs there are: of every shape as many clips are
        shown as without it.
        """
        shapes = self.grid.short_cycle(own)
        capped = cap_batches(shapes, self.settings.max_batch_factor)
        if capped != shapes:
            return Stage(begin, end, capped, mean_batch_factor(capped), lr_step, saving_of(shapes, capped))
        average = mean_batch_factor(shapes) if self.settings.stages is not None else self.grid.average_batch_factor(
            own, exact_crop)
        return Stage(begin, end, shapes, average, lr_step)

    def lr_factor(self, stage: Stage) -> float:
        """Factor of the lr for the batch of a stage: the batch factor itself, its square root, or 1."""
        return stage.shape.batch_factor**LR_EXPONENTS[self.settings.lr_scaling or 'linear']

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
        totals = accumulate(piece[-1] * stretch for piece in pieces)
        *rounded, max_epochs = [int(round(total)) for total in totals]
        # The last epoch is at the full shape, however short the run.
        rounded = [max(0, min(end, max_epochs - 1)) for end in rounded]
        stages, ends, begin, base_epoch = [], [(0, 0.)], 0, 0.
        for piece, end in zip(pieces, [*rounded, max_epochs]):
            lr_step, shape, crop, epochs = piece
            stages.append(self._stage(begin, end, shape, crop, lr_step))
            base_epoch += epochs
            ends.append((end, base_epoch))
            begin = end
        ends[-1] = (begin, base.max_epochs)
        if self._follows_steps:
            return stages, self._step_by_step(stages), []
        return stages, *self._follow_base(stages, ends)

    @property
    def _follows_steps(self) -> bool:
        """Whether lr steps are the ends of long cycles, and all that there is to the lr."""
        base = self.base
        return bool(base.milestones) and base.curve is None and not self.settings.cycle_ends

    def _step_by_step(self, stages: Sequence[Stage]) -> List[Tuple[int, float]]:
        """lr points of the reference, which decays where a long cycle ends, and amid fine-tuning."""
        *cycles, tuning = stages
        points = [(stage.begin, self.base.decay(stage.lr_step) * self.lr_factor(stage)) for stage in cycles]
        return [*points, (tuning.begin, self.base.decay(tuning.lr_step - 1)),
                ((tuning.begin + tuning.end) // 2, self.base.decay(tuning.lr_step))]

    def _follow_base(self, stages: Sequence[Stage], ends: Sequence[Tuple[int, float]],
                     fixed: Sequence[Optional[float]] = ()) -> Tuple[list, List[Span]]:
        """lr points and clock where the lr is base training's at the corresponding epoch, times the batch factor.

        Args:
            stages: In order.
            ends: (epoch, epoch of base training) pairs where stages meet; the first is the beginning.
            fixed: Factor of each stage that has one of its own.
        """
        base, points, clock = self.base, [], []
        fixed = dict(zip((stage.begin for stage in stages), fixed))
        factors = {stage.begin: self.lr_factor(stage) for stage in stages}
        ends = step_points(ends)
        for (begin, base_begin), (end, base_end) in zip(ends, ends[1:]):
            if fixed.get(begin) is not None:
                points.append((begin, float(fixed[begin])))
                continue
            span = Span(begin, end, base_begin, base_end)
            if base.curve is not None:
                points.append((begin, float(factors[begin])))
                clock.append(span)
                continue
            done, after = base.num_decays(base_begin), base.num_decays(base_end - 2 * NEARLY)
            points.append((begin, factors[begin] * base.decay(done)))
            points += [(span.epoch(base.milestones[i]), factors[begin] * base.decay(i + 1)) for i in range(done, after)]
        return points, clock

    def _least_epochs(self) -> int:
        """Epochs of base training of which ``epoch_factor`` leaves one."""
        factor = self.settings.epoch_factor
        least = 0.5 + NEARLY if self.settings.long_cycle else 1.
        epochs = int(least / factor)
        return epochs if epochs * factor >= least else epochs + 1

    def _long_cycle_shape(self, factor: Tuple[float, float]) -> Tuple[Shape, float, float]:
        """A shape of the long cycle, its crop before rounding, and its weight in epochs.

        The weight takes the short-cycle crops relative to the base crop whatever ``short_cycle_reference``
        says: that setting changes the batches inside a stage, and neither stage ends nor the lr.
        """
        shape, crop = self.grid.scale(factor), self.base.crop_size * factor[1]
        return shape, crop, self.grid.average_batch_factor(shape, crop, 'default')

    def _stretched(self):
        """The base schedule, ``epoch_factor`` times as long, at the full shape (short cycle alone)."""
        base, factor = self.base, self.settings.epoch_factor
        max_epochs = int(base.max_epochs * factor)
        begins = [min(int(step * factor), max_epochs) for step in (0, *base.milestones)]
        stages = [self._stage(begin, end, base.shape, base.crop_size, i)
                  for i, (begin, end) in enumerate(zip(begins, [*begins[1:], max_epochs]))]
        if base.curve is None:
            return stages, [(stage.begin, base.decay(stage.lr_step)) for stage in stages], []
        ends = list(zip([*begins, max_epochs], [0., *base.milestones, base.max_epochs]))
        return stages, *self._follow_base(stages, ends)

    def _explicit(self):
        """The user's own ``stages``; base training is stretched to their length."""
        base, stages, ends = self.base, [], [(0, 0.)]
        entries = self.settings.stages
        stretch = base.max_epochs / sum(entry['epochs'] for entry in entries)
        for entry in entries:
            num_frames = entry.get('num_frames', base.num_frames)
            if num_frames % base.frame_multiple:
                raise ValueError(f'multigrid.stages: num_frames = {num_frames}: the network takes clips of a multiple of '
                                 f'{base.frame_multiple} frames')
            crop_size = entry.get('crop_size', base.crop_size)
            multiple = self.grid.crop_multiple
            if crop_size % multiple and crop_size != base.crop_size:
                raise ValueError(f'multigrid.stages: crop_size = {crop_size}: must be a multiple of {multiple}')
            factor = entry.get('batch_factor') or self.grid.batch_factor(num_frames, crop_size)
            begin, base_epoch = ends[-1]
            end = begin + entry['epochs']
            shape = Shape(factor, num_frames, crop_size)
            stages.append(self._stage(begin, end, shape, crop_size, base.num_decays(base_epoch)))
            ends.append((end, end * stretch))
        return stages, *self._follow_base(stages, ends, [entry.get('lr_factor') for entry in entries])

    @property
    def max_epochs(self) -> int:
        """Epochs of the whole schedule."""
        return self.stages[-1].end

    @property
    def predicted_speedup(self) -> float:
        """What base training computes over what this schedule computes: frames x pixels x clips.

        Without ``max_batch_factor`` all iterations cost the same, and it is base training's number of them over ours.
        """
        return self.base.max_epochs / sum(stage.cost for stage in self.stages)

    @property
    def lr_factors(self) -> List[Tuple[int, float]]:
        """(epoch, factor from there on) relative to the base lr, warm-up left out; for a schedule that is not
        a step function the factor at the start of each stage."""
        if not self.lr.clock:
            return [(epoch if epoch % 1 else int(epoch), factor) for epoch, factor in self.lr.points]
        return [(stage.begin, self.lr.without_warmup(stage.begin)) for stage in self.stages]

    def to_dict(self, batch_size: int, frame_interval: Optional[int] = None, clips: Optional[int] = None) -> dict:
        """The schedule in plain lists and numbers, as ``tools/print_schedule.py --format json`` prints it.

        Args:
            batch_size (int): Base batch per GPU.
            frame_interval (int, optional): The base config's; None if its clips have none.
            clips (int, optional): Clips of one process; None if nobody knows, and so neither the updates.
        """
        return describe(self, batch_size, frame_interval, clips)
