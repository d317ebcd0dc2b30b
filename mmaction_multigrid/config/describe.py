"""A schedule in plain lists and numbers."""

from typing import Optional

from ..core.schedule import MultigridSchedule
from ..core.shapes import frame_interval_range
from ..core.stages import bn_group_size, count_batches


def count_iterations(schedule: MultigridSchedule, batch_size: int,
                     clips: int) -> int:
    """Count the iterations of a schedule, which all processes share.

    Args:
        schedule (MultigridSchedule): The schedule.
        batch_size (int): Base batch per GPU.
        clips (int): Clips of the process in an epoch.
    """
    return sum(stage.epochs *
               sum(count_batches(stage.shapes, batch_size, clips))
               for stage in schedule.stages)


def count_base_iterations(schedule: MultigridSchedule, batch_size: int,
                          clips: int) -> int:
    """Count the iterations of base training.

    Args: as for :func:`count_iterations`.
    """
    # The stock loader keeps the last, smaller batch of an epoch.
    return schedule.base.max_epochs * -(-clips // batch_size)


def describe(schedule: MultigridSchedule,
             batch_size: int,
             frame_interval: Optional[int] = None,
             clips: Optional[int] = None) -> dict:
    """Describe a schedule as ``schedule --format json`` prints it.

    Args:
        schedule (MultigridSchedule): The schedule.
        batch_size (int): Base batch per GPU.
        frame_interval (int, optional): Frame interval of the base clips.
            Defaults to None, which means that they have none.
        clips (int, optional): Clips of one process in an epoch. Defaults to
            None, which leaves the numbers of iterations at None.
    """
    group_size = bn_group_size(schedule.settings.bn_base_size, batch_size)
    stages = []
    for stage in schedule.stages:
        interval = None if frame_interval is None else list(
            frame_interval_range(frame_interval, schedule.base.num_frames,
                                 stage.shape.num_frames))
        stages.append(
            dict(
                begin=stage.begin,
                end=stage.end,
                lr_step=stage.lr_step,
                bn_splits=max(
                    1, batch_size * stage.shape.batch_factor // group_size),
                frame_interval=interval,
                shapes=[list(shape) for shape in stage.shapes]))
    counts = dict(iterations=None, base_iterations=None)
    if clips:
        counts = dict(
            iterations=count_iterations(schedule, batch_size, clips),
            base_iterations=count_base_iterations(schedule, batch_size, clips))
    return dict(
        time_axis='segments' if schedule.base.segments else 'frames',
        max_epochs=schedule.max_epochs,
        predicted_speedup=round(schedule.predicted_speedup, 4),
        relative_cost=round(1 / schedule.predicted_speedup, 4),
        **counts,
        lr_factors=[list(point) for point in schedule.lr_factors],
        stages=stages)
