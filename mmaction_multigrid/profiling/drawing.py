"""Pictures of schedules and of runs."""

from pathlib import Path
from typing import Sequence, Union

from ..schedule import MultigridSchedule
from .runs import Run


def draw_runs(runs: Sequence[Run], path: Union[str, Path],
              title: str = '') -> None:
    """Draw scores against wall-clock, and shade the stages of runs."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    figure, axis = plt.subplots(figsize=(7, 4), layout='tight')
    hours = max(run.seconds for run in runs) > 3 * 3600
    unit = 3600 if hours else 1
    for i, run in enumerate(runs):
        axis.plot([point.seconds / unit for point in run.points],
                  [point.score for point in run.points], marker='o', ms=4,
                  color=f'C{i}', label=run.name)
        edges = [*run.stages, run.seconds]
        for k, (begin, end) in enumerate(zip(edges, edges[1:])):
            axis.axvspan(begin / unit, end / unit, color=f'C{i}',
                         alpha=.12 if k % 2 else .05, lw=0)
    axis.set(xlabel=f'wall-clock ({"h" if hours else "s"})',
             ylabel=f'{runs[0].metric} (%)', title=title)
    axis.grid(alpha=.3)
    axis.legend(loc='lower right')
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_schedule(schedule: MultigridSchedule, batch_size: int,
                  path: Union[str, Path]) -> None:
    """Draw clip shape, batch and lr over the iterations of a schedule.

    Args:
        schedule (MultigridSchedule): The schedule.
        batch_size (int): Base batch per GPU.
        path (str or Path): The picture; its ending says of what kind.
    """
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(4, 1, figsize=(9, 9), sharex=True,
                                layout='tight')
    edges, lrs = [0.], []  # in iterations of a base epoch
    for stage in schedule.stages:
        begin = edges[-1]
        for epoch in range(stage.begin, stage.end):
            lrs.append(schedule.lr(epoch))
            edges.append(edges[-1] + 1 / stage.average_batch_factor)
        for shape in stage.shapes:
            color, lw = ('C0', 3) if shape == stage.shape else ('C1', 1.5)
            batch = shape.batch_factor * batch_size
            for axis, value in zip(axes, (*shape[1:], batch)):
                axis.hlines(value, begin, edges[-1], color, lw=lw)
    axes[3].step(edges[:-1], lrs, where='post', color='C0')
    for axis, label in zip(axes, ('frames', 'crop (pixels)', 'clips per GPU',
                                  'lr / base lr')):
        axis.set_ylabel(label)
        axis.grid(alpha=.3)
    axes[2].set_yscale('log', base=2)
    axes[3].set_yscale('log')
    axes[0].set_title(
        f'{schedule.max_epochs} epochs, {schedule.predicted_speedup:.2f}x '
        f"less computing than the base's {schedule.base.max_epochs}; blue: "
        "the stage's own shape, orange: its short cycle", fontsize=10)
    axes[3].set_xlabel('iterations, in those of one epoch of the base config')
    figure.savefig(path, dpi=120)
    plt.close(figure)
