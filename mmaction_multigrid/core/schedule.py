"""Stages and lr of multigrid training (paper, section 3)."""

from itertools import accumulate
from typing import List, Optional, Sequence, Tuple

from .lr import EpochSpan, PiecewiseLR, last_points, scale_lr
from .settings import EPS, BaseTraining, ScheduleSettings
from .shapes import Shape, ShapeGrid, mean_batch_factor
from .stages import Stage

# Ends of the long cycles, as shares of training, if the lr of the base config
# has no decays. They are near those of the reference's Kinetics-400 schedule,
# which decays at 94, 154 and 196 of 239 epochs.
CYCLE_ENDS = (1 / 3, 2 / 3, 5 / 6)


def make_grid(base: BaseTraining, settings: ScheduleSettings) -> ShapeGrid:
    """Return the grid of all shapes of a schedule."""
    listed = settings.batch_factors
    return ShapeGrid(
        base.shape,
        short_factors=settings.short_cycle_factors if settings.short_cycle else
        (),
        reference=settings.short_cycle_reference,
        frame_multiple=base.frame_multiple,
        crop_multiple=settings.crop_multiple or base.crop_multiple,
        batch_factors=None
        if listed == 'cost' else {(frames, crop): factor
                                  for frames, crop, factor in listed})


class MultigridSchedule:
    """Shapes and lr of every epoch.

    Args:
        base (BaseTraining): The base config's training.
        settings (ScheduleSettings, optional): The settings. Defaults to the
            paper's.

    Attributes:
        stages (tuple[Stage]): Stages in order, without gaps; none is empty.
        dropped (int): Number of stages that were too short to have an epoch.
        spans (list[EpochSpan]): Map of the epochs to those of base training.
        lr (PiecewiseLR): Factor of the base lr at a fractional epoch.

    Raises:
        ValueError: The settings leave no epoch, or ``batch_factors`` lack a
            shape.

    Examples:
        >>> base = BaseTraining(32, 224, 239, (94, 154, 196))
        >>> schedule = MultigridSchedule(base)
        >>> schedule.max_epochs, schedule.stages[0].shapes[0]
        (358, Shape(batch_factor=16, num_frames=8, crop_size=112))
    """

    def __init__(self,
                 base: BaseTraining,
                 settings: Optional[ScheduleSettings] = None) -> None:
        self.base = base
        self.settings = settings = settings or ScheduleSettings()
        if isinstance(settings.max_batch_factor, str):
            raise ValueError("multigrid.max_batch_factor = 'auto': must be an "
                             'integer or None here')
        self.grid = make_grid(base, settings)
        if settings.stages is not None:
            stages, points = self._explicit()
        elif settings.long_cycle:
            stages, points = self._long_cycle()
        else:
            stages, points = self._short_cycle_alone()
        self.stages = tuple(stage for stage in stages if stage.epochs)
        self.dropped = len(stages) - len(self.stages)
        if not self.stages:
            raise ValueError(
                f'multigrid.epoch_factor = {settings.epoch_factor}: leaves no '
                f'epoch of train_cfg.max_epochs = {base.max_epochs}; it takes '
                f'at least {self._min_base_epochs()} epochs')
        self.lr = PiecewiseLR(
            last_points(points, self.max_epochs), base.warmup_epochs,
            base.warmup_factor)

    def _stage(self, begin: int, end: int, shape: Shape, exact_crop: float,
               lr_step: int) -> Stage:
        """Make a stage with its short cycle.

        ``max_batch_factor`` changes the number of iterations and not that of
        epochs: the clips that each shape sees stay the same.
        """
        shapes = self.grid.short_cycle(shape)
        limit = self.settings.max_batch_factor or max(shapes).batch_factor
        limited = tuple(
            s._replace(batch_factor=min(s.batch_factor, limit))
            for s in shapes)
        # Smaller batches than those of equal cost: an iteration costs less
        # than a base iteration, so that iterations and cost differ.
        if limited != shapes:
            cost = sum(a.batch_factor / b.batch_factor
                       for a, b in zip(limited, shapes))
            reduction = sum(s.batch_factor for s in limited) / cost
            return Stage(begin, end, limited, mean_batch_factor(limited),
                         lr_step, reduction)
        # Lengths of the user's own stages need not follow the reference.
        if self.settings.stages is not None:
            average = mean_batch_factor(shapes)
        else:
            average = self.grid.average_batch_factor(shape, exact_crop)
        return Stage(begin, end, shapes, average, lr_step)

    def lr_factor(self, stage: Stage) -> float:
        """Compute the factor of the lr for a stage's own batch."""
        return scale_lr(stage.shape.batch_factor, self.settings.lr_scaling)

    def _long_cycle(self) -> Tuple[List[Stage], list]:
        """Follow the reference implementation, operation by operation.

        Floating-point sums depend on the order, and stage ends are rounded
        from them.
        """
        base, settings = self.base, self.settings
        by_decays = bool(base.milestones) and settings.cycle_ends is None
        steps = [0, *base.milestones] if by_decays else [
            0, *(end * base.max_epochs
                 for end in settings.cycle_ends or CYCLE_ENDS)
        ]
        # A network that takes one number of frames makes some of them equal.
        cycle = list(
            dict.fromkeys(map(self._weigh, settings.long_cycle_factors)))
        pieces, iterations = [], 0.
        for lr_step, (begin, end) in enumerate(zip(steps, steps[1:])):
            for shape, crop, weight in cycle:
                epochs = (end - begin) * weight / sum(w for _, _, w in cycle)
                iterations += epochs / weight
                pieces.append((lr_step, shape, crop, epochs))
        # The last lr step is fine-tuning at the full shape. Its length saves
        # the same share of iterations as the long cycles.
        reduction = steps[-1] / iterations
        shape, crop, weight = self._weigh((1., 1.))
        epochs = (base.max_epochs - steps[-1]) / reduction * weight
        pieces.append((len(steps) - 1, shape, crop, epochs))
        stretch = base.max_epochs * settings.epoch_factor / sum(
            piece[-1] for piece in pieces)
        # Rounding the running sum keeps the total within half an epoch.
        totals = accumulate(piece[-1] * stretch for piece in pieces)
        *rounded, max_epochs = [int(round(total)) for total in totals]
        # The last epoch is at the full shape, however short the training.
        rounded = [max(0, min(end, max_epochs - 1)) for end in rounded]
        ends = [*rounded, max_epochs]
        stages = [
            self._stage(begin, end, shape, crop, lr_step)
            for begin, end, (lr_step, shape, crop,
                             _) in zip([0, *ends], ends, pieces)
        ]
        # Unrounded, so that the lr follows base training exactly.
        base_ends = list(accumulate(piece[-1] for piece in pieces))
        self._map_epochs(stages, [*base_ends[:-1], base.max_epochs])
        return stages, (
            self._step_points(stages) if by_decays else self._span_points())

    def _weigh(self, factors: Tuple[float,
                                    float]) -> Tuple[Shape, float, float]:
        """Return a shape, its crop before rounding, and its weight in epochs.

        The weight is always that of the 'default' reference crop:
        ``short_cycle_reference`` changes the batches of a stage and not its
        length.
        """
        shape, crop = (self.grid.scale(factors),
                       self.base.crop_size * factors[1])
        weight = self.grid.average_batch_factor(shape, crop, 'default')
        return shape, crop, weight

    def _step_points(self, stages: Sequence[Stage]) -> list:
        """Decay where a long cycle ends and halfway through fine-tuning."""
        *cycles, tuning = stages
        points = [(stage.begin,
                   self.base.decay(stage.lr_step) * self.lr_factor(stage))
                  for stage in cycles]
        # Fine-tuning starts at the lr of the step before, as in the paper.
        middle = (tuning.begin + tuning.end) // 2
        return [
            *points, (tuning.begin, self.base.decay(tuning.lr_step - 1)),
            (middle, self.base.decay(tuning.lr_step))
        ]

    def _short_cycle_alone(self) -> Tuple[List[Stage], list]:
        """Stretch base training by ``epoch_factor``, at the full shape."""
        base, factor = self.base, self.settings.epoch_factor
        max_epochs = int(base.max_epochs * factor)
        # The reference truncates here, while it rounds in the long cycle.
        begins = [
            min(int(step * factor), max_epochs)
            for step in (0, *base.milestones)
        ]
        stages = [
            self._stage(begin, end, base.shape, base.crop_size, i)
            for i, (begin,
                    end) in enumerate(zip(begins, [*begins[1:], max_epochs]))
        ]
        self._map_epochs(stages, [*base.milestones, base.max_epochs])
        return stages, [(s.begin, base.decay(s.lr_step)) for s in stages]

    def _explicit(self) -> Tuple[List[Stage], list]:
        """Follow ``stages``; base training is stretched to their length."""
        entries, stages, begin = self.settings.stages, [], 0
        stretch = self.base.max_epochs / sum(e['epochs'] for e in entries)
        for entry in entries:
            shape = Shape(*(entry[key] for key in Shape._fields))
            lr_step = self.base.num_decays(begin * stretch)
            end = begin + entry['epochs']
            stages.append(
                self._stage(begin, end, shape, shape.crop_size, lr_step))
            begin = end
        self._map_epochs(stages, [stage.end * stretch for stage in stages],
                         [entry.get('lr_factor') for entry in entries])
        return stages, self._span_points()

    def _map_epochs(
        self,
        stages: Sequence[Stage],
        base_ends: Sequence[float],
        lr_factors: Sequence[Optional[float]] = ()
    ) -> None:
        """Set :attr:`spans`.

        Args:
            stages (Sequence[Stage]): Stages in order, with empty ones.
            base_ends (Sequence[float]): Epoch of base training at which each
                stage ends.
            lr_factors (Sequence): Factor of the base lr of each stage, where
                the user sets one.
        """
        # Of stages that begin at the same epoch, all but the last are empty:
        # a dict keeps the last.
        fixed = dict(zip((stage.begin for stage in stages), lr_factors))
        factors = {stage.begin: self.lr_factor(stage) for stage in stages}
        ends = last_points([(0, 0.),
                            *((stage.end, base_end)
                              for stage, base_end in zip(stages, base_ends))])
        self.spans = []
        for (begin, base_begin), (end, base_end) in zip(ends, ends[1:]):
            factor = fixed.get(begin)
            is_fixed = factor is not None
            self.spans.append(
                EpochSpan(begin, end, base_begin, base_end,
                          float(factor) if is_fixed else factors[begin],
                          is_fixed))

    def _span_points(self) -> list:
        """Decay at the epochs that correspond to the base milestones."""
        base, points = self.base, []
        for span in self.spans:
            if span.fixed:
                points.append((span.begin, span.lr_factor))
                continue
            done = base.num_decays(span.base_begin)
            # A decay at the end belongs to the next span.
            after = base.num_decays(span.base_end - 2 * EPS)
            points.append((span.begin, span.lr_factor * base.decay(done)))
            points += [(span.epoch(base.milestones[i]),
                        span.lr_factor * base.decay(i + 1))
                       for i in range(done, after)]
        return points

    def _min_base_epochs(self) -> int:
        """Compute the fewest epochs of base training that leave one."""
        # The long cycle rounds, and Python rounds 0.5 to 0; else the epochs
        # are truncated.
        factor = self.settings.epoch_factor
        least = 0.5 + EPS if self.settings.long_cycle else 1.
        epochs = int(least / factor)
        return epochs + (epochs * factor < least)

    @property
    def max_epochs(self) -> int:
        """int: Epochs of the whole schedule."""
        return self.stages[-1].end

    @property
    def predicted_speedup(self) -> float:
        """float: Computing of base training over that of the schedule."""
        return self.base.max_epochs / sum(
            stage.epochs / (stage.cost_reduction or stage.average_batch_factor)
            for stage in self.stages)

    @property
    def lr_factors(self) -> List[Tuple[float, float]]:
        """list[tuple]: (epoch, factor of the base lr from there on)."""
        return [(epoch if epoch % 1 else int(epoch), factor)
                for epoch, factor in self.lr.changes(self.stages)]
