"""Read times and scores of runs from mmengine's scalars, and draw them."""

import json
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import List, Optional, Sequence, Union

from matplotlib.figure import Figure

# Keys beside the metrics in the line of a validation.
NO_METRICS = ('time', 'data_time', 'epoch', 'step', 'memory')


@dataclass
class Point:
    """Time and score of a validation.

    Attributes:
        seconds (float): Training time before it.
        epoch (int): Number of finished epochs; 0 in a log by iterations.
        iterations (int): Number of iterations up to the last logged one.
        score (float): The metric, in percent if its value is from 0 to 1.
    """
    seconds: float
    epoch: int
    iterations: int
    score: float


@dataclass
class Run:
    """Validations and times of a run.

    Attributes:
        name (str): Name of its work dir.
        metric (str): Name of the metric.
        points (list[Point]): Validations, in order.

        seconds (float): Training time, which includes waiting for data and
            excludes validations and checkpoints.
        waiting (float): Seconds of waiting for data.
    """
    name: str
    metric: Optional[str] = None
    points: List[Point] = field(default_factory=list)

    seconds: float = 0.
    waiting: float = 0.

    @property
    def end(self) -> Point:
        """Point: The last validation."""
        return self.points[-1]

    def time_to(self, score: float) -> Optional[float]:
        """Return the seconds before the first validation with a score."""
        return next((point.seconds
                     for point in self.points if point.score >= score), None)


def read_run(work_dir: Union[str, Path], metric: Optional[str] = None) -> Run:
    """Read the scalars in a work dir, and join those of resumed runs.

    Args:
        work_dir (str or Path): Folder of the run.
        metric (str, optional): Name of the metric, such as ``acc/top1``.
            Defaults to the first that a validation logged.

    Raises:
        FileNotFoundError: There are no scalars.
        ValueError: No validation is in them, or none with such a metric.
    """
    # The folders are named by time.
    paths = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not paths:
        raise FileNotFoundError(
            f'{work_dir}: has no TIME/vis_data/scalars.json; keep '
            'LocalVisBackend in visualizer.vis_backends, which writes it')
    lines: List[dict] = []
    for path in paths:
        # A killed run may leave a partial line.
        following = [
            json.loads(text) for text in path.read_text('utf-8').splitlines()
            if text.endswith('}')
        ]
        begin = next((line['iter'] for line in following if 'iter' in line), 0)
        # A resume repeats the iterations after its checkpoint.
        kept = takewhile(lambda line: line.get('iter', 0) < begin, lines)
        lines = [*kept, *following] if begin else lines
    run = Run(Path(work_dir).resolve().name, metric)
    _add_lines(run, lines)
    if not run.points:
        asked = f' with {metric!r}' if metric else ''
        raise ValueError(f'{work_dir}: no validation{asked} is logged')
    return run


def _add_lines(run: Run, lines: List[dict]) -> None:
    """Add up the iterations, and add a point for each validation."""
    epoch = done = 0

    for line in lines:
        # Only lines of training have this key. Their times are means over the
        # iterations since the line before.
        if 'iter' in line:
            count, done = line['iter'] - done, line['iter']
            epoch = line.get('epoch', 0)

            run.seconds += count * line.get('time', 0.)
            run.waiting += count * line.get('data_time', 0.)
            continue
        metrics = [key for key in line if key not in NO_METRICS]
        run.metric = run.metric or next(iter(metrics), None)
        if run.metric in line:
            score = line[run.metric]
            run.points.append(
                Point(run.seconds, epoch, done,
                      100 * score if 0 <= score <= 1 else score))


def draw_runs(runs: Sequence[Run], path: Union[str, Path]) -> None:
    """Draw scores against training time.

    Args:
        runs (Sequence[Run]): The runs.
        path (str or Path): Path of the picture. Its suffix sets the format.
    """
    # Without pyplot, which would choose a backend that may need a display.
    figure = Figure(figsize=(7, 4), layout='tight')
    axis = figure.subplots()
    for run in runs:
        axis.plot([point.seconds / 60 for point in run.points],
                  [point.score for point in run.points],
                  marker='o',
                  ms=4,
                  label=run.name)
    axis.set(xlabel='training time (min)', ylabel=f'{runs[0].metric} (%)')
    axis.grid(alpha=.3)
    axis.legend(loc='lower right')
    figure.savefig(path, dpi=120)
