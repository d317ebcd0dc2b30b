"""Draw runs."""

from pathlib import Path
from typing import Sequence, Union

from matplotlib.figure import Figure

from .runs import Run


def draw_runs(runs: Sequence[Run],
              path: Union[str, Path],
              title: str = '') -> None:
    """Draw scores against training time, with the stages shaded.

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
        xlabel=f'training time ({name})',
        ylabel=f'{runs[0].metric} (%)',
        title=title)
    axis.grid(alpha=.3)
    axis.legend(loc='lower right')
    figure.savefig(path, dpi=120)
