"""Draw the scores of runs against training time."""

from pathlib import Path
from typing import Sequence, Union

from matplotlib.figure import Figure

from .runs import Run


def draw_runs(runs: Sequence[Run],
              path: Union[str, Path],
              title: str = '') -> None:
    """Draw scores against training time.

    Args:
        runs (Sequence[Run]): The runs.
        path (str or Path): Path of the picture. Its suffix sets the format.
        title (str): Title of the picture. Defaults to no title.
    """
    # Without pyplot, which would choose a backend that may need a display.
    figure = Figure(figsize=(7, 4), layout='tight')
    axis = figure.subplots()
    unit, name = (3600, 'h') if max(run.seconds
                                    for run in runs) > 3 * 3600 else (1, 's')
    for run in runs:
        axis.plot([point.seconds / unit for point in run.points],
                  [point.score for point in run.points],
                  marker='o',
                  ms=4,
                  label=run.name)
    axis.set(
        xlabel=f'training time ({name})',
        ylabel=f'{runs[0].metric} (%)',
        title=title)
    axis.grid(alpha=.3)
    axis.legend(loc='lower right')
    figure.savefig(path, dpi=120)
