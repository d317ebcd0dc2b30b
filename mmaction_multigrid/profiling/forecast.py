"""Forecast how long schedules take, from measured times."""

import math
from dataclasses import replace
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..config.auto import CAPS, auto_settings
from ..config.describe import count_base_iterations, count_iterations
from ..config.settings import Settings
from ..core.precise_bn import num_precise_bn_batches
from ..core.schedule import MultigridSchedule
from ..core.shapes import Shape
from ..core.stages import count_batches
from .steps import StepProfile, schedule_shapes

MANY_CLIPS = 10**8  # for an unknown number: an epoch drops none of them
MANY_EPOCHS = 10**4  # no stage is rounded away
EPOCH_FACTORS = [n / 20 for n in range(80, 1, -1)]  # 4 down to 0.1
FORWARD = 1 / 3  # of a step: what precise BN computes


class MeasuredTimes(NamedTuple):
    """Measured times, and the run that they are for.

    Attributes:
        profiles (Sequence[StepProfile]): Training steps; of a (frames, crop)
            one or more, at different batch factors.
        batch_size (int): Base batch per process.
        clips (int): Clips of one process.
        processes (int): Processes that train.
        views (int): Clips that the dataset yields of a video at once.
        loads (Mapping): Seconds to load a clip in one worker, by (frames,
            crop); of base training under None. Empty: no waiting.
        workers (int): Data workers, each with a core of its own; 0: the
            training process loads.
    """
    profiles: Sequence[StepProfile]
    batch_size: int
    clips: int = MANY_CLIPS
    processes: int = 1
    views: int = 1
    loads: Mapping[Optional[Tuple[int, int]], float] = {}
    workers: int = 1

    def step(self, shape: Shape) -> float:
        """Interpolate the seconds of a step at any batch factor.

        Returns:
            float: NaN where no step at its frames and crop worked.
        """
        points = sorted(
            (profile.shape.batch_factor,
             profile.seconds / profile.clips * profile.shape.batch_factor)
            for profile in self.profiles
            if profile.works and profile.shape[1:] == shape[1:])
        seconds = np.interp(shape.batch_factor,
                            *zip(*(points or [(1, math.nan)])))
        return float(seconds) * self.batch_size * self.views

    def load(self, shape: Shape) -> float:
        """Look up the seconds to load a batch in one worker."""
        return self.batch_size * shape.batch_factor * self.loads.get(
            shape[1:], 0.)

    def waiting(self, computing: float, loading: float) -> float:
        """Compute the seconds of waiting for clips.

        Args:
            computing: Seconds of computing, in which workers load.
            loading: Seconds of loading in one worker.
        """
        if not self.workers:
            return loading
        return max(0., loading / self.workers - computing)


class Forecast(NamedTuple):
    """Wall-clock of a schedule beside that of its base training.

    Validation is left out.

    Attributes:
        schedule (MultigridSchedule): The schedule.
        iterations (int): Iterations of the schedule.
        base_iterations (int): Iterations of base training.
        parts (Dict[str, Tuple[float, float]]): Hours of the schedule and of
            base training, by what they do.
    """
    schedule: MultigridSchedule
    iterations: int
    base_iterations: int
    parts: Dict[str, Tuple[float, float]]

    @property
    def hours(self) -> float:
        """Hours of the schedule."""
        return sum(ours for ours, _ in self.parts.values())

    @property
    def base_hours(self) -> float:
        """Hours of base training."""
        return sum(base for _, base in self.parts.values())

    @property
    def speedup(self) -> float:
        """Ratio of the two."""
        return self.base_hours / self.hours


def forecast(schedule: MultigridSchedule, times: MeasuredTimes) -> Forecast:
    """Forecast the hours of a schedule and of base training.

    Args:
        schedule (MultigridSchedule): The schedule.
        times (MeasuredTimes): The measured times.

    Returns:
        Forecast: Of NaN hours where the step at a shape did not work.
    """
    batch_size, clips = times.batch_size, times.clips
    training = waiting = batches = 0
    for stage in schedule.stages:
        counts = count_batches(stage.shapes, batch_size, clips)
        seconds = [
            sum(count * cost(shape)
                for count, shape in zip(counts, stage.shapes))
            for cost in (times.step, times.load)
        ]
        training += stage.epochs * seconds[0]
        waiting += stage.epochs * times.waiting(*seconds)
        done = stage.begin
        for epoch in stage.eval_epochs(schedule.settings.eval_freq):
            batches += min(
                clips // batch_size,
                num_precise_bn_batches(schedule.settings.precise_bn,
                                       (epoch - done) * sum(counts),
                                       batch_size * times.processes,
                                       epoch == schedule.max_epochs))
            done = epoch
    base = schedule.base.shape
    step = times.step(base)
    iterations = count_base_iterations(schedule, batch_size, clips)
    precise = batches * step * FORWARD
    stock = iterations * batch_size * times.loads.get(None, 0.)
    parts = {
        'training': (training, iterations * step),
        'waiting for data': (waiting, times.waiting(iterations * step, stock)),
        'precise BN':
        (precise + times.waiting(precise, batches * times.load(base)), 0.)
    }
    return Forecast(schedule, count_iterations(schedule, batch_size, clips),
                    iterations, {
                        key: (ours / 3600, theirs / 3600)
                        for key, (ours, theirs) in parts.items()
                    })


def worker_rows(schedule: MultigridSchedule,
                times: MeasuredTimes) -> List[tuple]:
    """Compare loading with training, in base training and in each stage.

    Returns:
        list: Epochs, training throughput and throughput of a worker (clips/s),
        and workers that keep up.
    """
    base = schedule.base.shape
    stock = times.batch_size * times.loads[None]
    rows = [('base', times.batch_size, times.step(base), stock)]
    rows += [
        (f'{stage.begin + 1}-{stage.end}',
         *(sum(map(part, stage.shapes))
           for part in (lambda shape: times.batch_size * shape.batch_factor,
                        times.step, times.load))) for stage in schedule.stages
    ]
    return [(epochs, clips / step, clips / load, math.ceil(load / step - 1e-9))
            for epochs, clips, step, load in rows]


def shapes_to_profile(schedule: MultigridSchedule,
                      free: MultigridSchedule) -> List[Shape]:
    """List the shapes from which the time of any other choice follows.

    Those of the schedule, and, at the largest and the base batch, those of
    caps and of more epochs: a short schedule rounds stages away.

    Args:
        schedule (MultigridSchedule): The schedule.
        free (MultigridSchedule): The same without a cap.
    """
    if free.settings.stages is None:
        free = MultigridSchedule(
            free.base,
            replace(
                free.settings,
                epoch_factor=MANY_EPOCHS / free.base.max_epochs))
    whole = schedule_shapes(free)
    shapes = {
        *schedule_shapes(schedule), *whole,
        *(shape._replace(batch_factor=1) for shape in whole)
    }
    return sorted(shapes, key=lambda shape: (shape[1:], -shape.batch_factor))


def cap_of(settings: Settings) -> str:
    """Describe the cap of a schedule."""
    return f'{settings.max_batch_factor}' + ('' if settings.short_cycle else
                                             ', short_cycle = False')


def compare_caps(free: MultigridSchedule,
                 times: MeasuredTimes) -> Dict[str, Forecast]:
    """Forecast a schedule under every cap and under ``'auto'``.

    Args:
        free (MultigridSchedule): The schedule without a cap.
        times (MeasuredTimes): The measured times.

    Returns:
        dict: Forecasts by cap, without those of shapes that do not work.
    """
    choices = {
        str(cap): replace(free.settings, max_batch_factor=cap)
        for cap in CAPS
    }
    auto = auto_settings(free.base, free.settings, times.batch_size,
                         times.clips)
    choices[f"'auto': {cap_of(auto)}"] = auto
    found = {
        name: forecast(MultigridSchedule(free.base, settings), times)
        for name, settings in choices.items()
    }
    return {
        name: choice
        for name, choice in found.items() if math.isfinite(choice.hours)
    }


def fit_hours(free: MultigridSchedule, times: MeasuredTimes,
              hours: float) -> Dict[str, Forecast]:
    """Find the longest schedule, capped as by ``'auto'``, within a budget.

    Args:
        free (MultigridSchedule): The schedule without a cap.
        times (MeasuredTimes): The measured times.
        hours (float): The budget.

    Returns:
        dict: Its forecast, by ``epoch_factor`` and cap; empty where none fits.
    """
    settings, factors = free.settings, EPOCH_FACTORS
    if settings.stages is not None:  # which set their own lengths
        factors = [settings.epoch_factor]
    for factor in factors:
        if factor * free.base.max_epochs >= 1:
            auto = auto_settings(free.base,
                                 replace(settings, epoch_factor=factor),
                                 times.batch_size, times.clips)
            found = forecast(MultigridSchedule(free.base, auto), times)
            if found.hours <= hours:
                return {
                    f'in {hours:g} h: epoch_factor = '
                    f'{factor:g}, {cap_of(auto)}':
                    found
                }
    return {}
