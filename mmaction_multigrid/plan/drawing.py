"""Pictures of runs."""

from pathlib import Path
from typing import Sequence, Union

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
