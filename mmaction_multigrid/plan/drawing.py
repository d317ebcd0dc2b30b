"""Pictures of schedules and of runs."""

from pathlib import Path
from typing import Sequence, Union

from ..schedule import MultigridSchedule
from .runs import Run


def _pyplot():
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    return plt


def draw_schedule(schedule: MultigridSchedule, batch_size: int, path: Union[str, Path]) -> None:
    """Draw clip shape, batch and lr over iterations, counted in those of a base epoch.

    Args:
        schedule: The schedule.
        batch_size: Base batch per GPU.
        path: Picture to write; its ending says of what kind.
    """
    plt = _pyplot()
    figure, axes = plt.subplots(4, 1, figsize=(9, 9), sharex=True)
    edges, rates = [0.], []
    for stage in schedule.stages:
        for epoch in range(stage.begin, stage.end):
            rates.append((edges[-1], schedule.lr(epoch)))
            edges.append(edges[-1] + 1 / stage.average_batch_factor)
    for stage in schedule.stages:
        span = edges[stage.begin], edges[stage.end]
        for shape, own in [(shape, False) for shape in stage.shapes[:-1]] + [(stage.shape, True)]:
            values = shape.num_frames, shape.crop_size, shape.batch_factor * batch_size
            for axis, value in zip(axes, values):
                axis.hlines(value, *span, color='C0' if own else 'C1', lw=3 if own else 1.5)
    axes[3].step([x for x, _ in rates], [y for _, y in rates], where='post', color='C0')
    axes[3].set_yscale('log')
    for axis, label in zip(axes, ('frames', 'crop (pixels)', 'clips per GPU', 'lr / base lr')):
        axis.set_ylabel(label)
        axis.grid(alpha=.3)
    axes[2].set_yscale('log', base=2)
    axes[0].set_title(f'{schedule.max_epochs} epochs, {schedule.predicted_speedup:.2f}x less computing than the '
                      f"base's {schedule.base.max_epochs}; blue: the stage's own shape, orange: its short cycle",
                      fontsize=10)
    axes[3].set_xlabel('iterations, in those of one base epoch')
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_runs(runs: Sequence[Run], path: Union[str, Path], title: str = '') -> None:
    """Draw the score of runs against wall-clock, and shade the stages of those that have any."""
    plt = _pyplot()
    figure, axis = plt.subplots(figsize=(7, 4))
    hours = max(run.seconds for run in runs) > 3 * 3600
    unit = 3600 if hours else 1
    for i, run in enumerate(runs):
        axis.plot([point.seconds / unit for point in run.points], [point.score for point in run.points], marker='o',
                  ms=4, color=f'C{i}', label=run.name)
        edges = [*run.stages, run.seconds]
        for k, (begin, end) in enumerate(zip(edges, edges[1:])):
            axis.axvspan(begin / unit, end / unit, color=f'C{i}', alpha=.12 if k % 2 else .05, lw=0)
    axis.set(xlabel=f'wall-clock ({"h" if hours else "s"})', ylabel=f'{runs[0].metric} (%)', title=title)
    axis.grid(alpha=.3)
    axis.legend(loc='lower right')
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
