"""A schedule in plain lists and numbers."""

from typing import TYPE_CHECKING, List, Optional, Tuple

from .shapes import frame_interval_range, num_bn_splits, round_to
from .stages import Stage, count_iterations

if TYPE_CHECKING:
    from .schedule import MultigridSchedule


def count_updates(schedule: 'MultigridSchedule', batch_size: int, clips: int) -> int:
    """Iterations that one process makes in the whole schedule.

    Args:
        schedule: The schedule.
        batch_size: Base batch per process.
        clips: Clips of the process in an epoch.
    """
    return sum(count_iterations(schedule.stages, batch_size, clips).values())


def count_base_updates(schedule: 'MultigridSchedule', batch_size: int, clips: int) -> int:
    """Iterations that one process makes in base training; the arguments as above."""
    return schedule.base.max_epochs * -(-clips // batch_size)


def clamped_frames(schedule: 'MultigridSchedule') -> List[Tuple[int, int]]:
    """Frames of the long cycle's clips as the factors have them, and as the network can take them, if others."""
    settings, base = schedule.settings, schedule.base
    if settings.stages is not None or not settings.long_cycle:
        return []
    frames = [[round_to(base.num_frames * factor, multiple) for multiple in (1, base.frame_multiple)]
              for factor, _ in settings.long_cycle_factors]
    return sorted({(wanted, got) for wanted, got in frames if wanted != got})


def describe(schedule: 'MultigridSchedule', batch_size: int, frame_interval: Optional[int],
             clips: Optional[int]) -> dict:
    """What ``MultigridSchedule.to_dict`` returns, which tells the arguments."""
    return dict(
        max_epochs=schedule.max_epochs,
        predicted_speedup=round(schedule.predicted_speedup, 4),
        relative_cost=round(1 / schedule.predicted_speedup, 4),
        updates=count_updates(schedule, batch_size, clips) if clips else None,
        base_updates=count_base_updates(schedule, batch_size, clips) if clips else None,
        lr_factors=[list(point) for point in schedule.lr_factors],
        stages=[_describe_stage(schedule, stage, batch_size, frame_interval) for stage in schedule.stages])


def _describe_stage(schedule: 'MultigridSchedule', stage: Stage, batch_size: int, frame_interval: Optional[int]) -> dict:
    interval = None if frame_interval is None else list(
        frame_interval_range(frame_interval, schedule.base.num_frames, stage.shape.num_frames))
    return dict(
        begin=stage.begin,
        end=stage.end,
        lr_step=stage.lr_step,
        bn_splits=num_bn_splits(batch_size * stage.shape.batch_factor, schedule.settings.bn_clips(batch_size)),
        frame_interval=interval,
        shapes=[list(shape) for shape in stage.shapes])
