"""Draw schedules and runs."""

from pathlib import Path
from typing import Sequence, Union

from matplotlib.figure import Figure

from ..core.schedule import MultigridSchedule
from .runs import Run


def draw_runs(runs: Sequence[Run],
              path: Union[str, Path],
              title: str = '') -> None:
    """Draw scores against wall-clock, with the stages shaded.

    Args:
        runs (Sequence[Run]): The runs.
        path (str or Path): The picture; its ending says of what kind.
        title (str): Title of the picture. Defaults to none.
    """
    figure = Figure(figsize=(7, 4), layout='tight')
    axis = figure.subplots()
    unit, name = (3600, 'h') if max(run.seconds
                                    for run in runs) > 3 * 3600 else (1, 's')
    for i, run in enumerate(runs):
        axis.plot([point.seconds / unit for point in run.points],
                  [point.score for point in run.points],
                  marker='o',
                  ms=4,
                  color=f'C{i}',
                  label=run.name)
        edges = [*run.stages, run.seconds]
        for k, (begin, end) in enumerate(zip(edges, edges[1:])):
            axis.axvspan(
                begin / unit,
                end / unit,
                color=f'C{i}',
                alpha=.12 if k % 2 else .05,
                lw=0)
    axis.set(
        xlabel=f'wall-clock ({name})',
        ylabel=f'{runs[0].metric} (%)',
        title=title)
    axis.grid(alpha=.3)
    axis.legend(loc='lower right')
    figure.savefig(path, dpi=120)


def draw_schedule(schedule: MultigridSchedule, batch_size: int,
                  path: Union[str, Path]) -> None:
    """Draw clip shape, batch and lr over the iterations of a schedule.

    Args:
        schedule (MultigridSchedule): The schedule.
        batch_size (int): Base batch per GPU.
        path (str or Path): The picture; its ending says of what kind.
    """
    figure = Figure(figsize=(9, 9), layout='tight')
    axes = figure.subplots(4, 1, sharex=True)
    begin = 0.  # in iterations of a base epoch
    for stage in schedule.stages:
        step = 1 / stage.average_batch_factor
        end = begin + stage.epochs * step
        for shape in stage.shapes:
            color = 'C0' if shape == stage.shape else 'C1'
            for axis, value in zip(axes, (*shape[1:],
                                          shape.batch_factor * batch_size)):
                axis.hlines(value, begin, end, color, lw=2)
        axes[3].step([begin + i * step for i in range(stage.epochs + 1)], [
            *map(schedule.lr, range(stage.begin, stage.end)),
            schedule.lr(stage.end - 1)
        ],
                     where='post',
                     color='C0')
        begin = end
    for axis, label in zip(axes, ('frames', 'crop (pixels)', 'clips per GPU',
                                  'lr / base lr')):
        axis.set_ylabel(label)
        axis.grid(alpha=.3)
    axes[2].set_yscale('log', base=2)
    axes[3].set_yscale('log')
    axes[0].set_title(
        f'{schedule.max_epochs} epochs, {schedule.predicted_speedup:.2f}x '
        f"less computing than the base's {schedule.base.max_epochs}; blue: "
        "the stage's own shape, orange: its short cycle",
        fontsize=10)
    axes[3].set_xlabel('iterations, in those of one epoch of the base config')
    figure.savefig(path, dpi=120)
