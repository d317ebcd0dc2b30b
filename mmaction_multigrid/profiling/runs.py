"""Read what training runs did from the logs that mmengine writes."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import List, Optional, Sequence, Tuple, Union

LINE = re.compile(
    r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - mmengine - \w+ - (.*)$',
    re.MULTILINE)
# By iterations (log_processor.by_epoch = False) without the epoch.
PROGRESS = re.compile(r'^(?:Epoch|Iter)\((train|val)\)\s+(?:\[(\d+)\])?'
                      r'\[\s*(\d+)/(\d+)\]\s+(.*)$')
NUMBER = re.compile(r'(\S+): ([-+.\deE]+|nan|inf)(?=\s|$)')
BEGIN = re.compile(r'^Checkpoints will be saved to |'
                   r'^resumed epoch: \d+, iter: (\d+)')
NO_METRICS = ('time', 'data_time', 'eta', 'memory')


@dataclass
class Point:
    """A validation.

    Attributes:
        seconds (float): Wall-clock since training began, of all the times
            that the run was resumed.
        epoch (int): Epochs finished; 0 in a log by iterations.
        iterations (int): Iterations made; in a log by iterations as far as
            they were logged.
        score (float): The metric, in percent where it is a share.
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
        stages (list[float]): Seconds at which stages began; none for a run
            without multigrid.
        seconds (float): Wall-clock, from the first iteration to the last line
            of the log.
        waiting (float): Seconds of waiting for data.
        training (float): Seconds in the network.
        evaluating (float): Seconds of validations.
    """
    name: str
    metric: Optional[str] = None
    points: List[Point] = field(default_factory=list)
    stages: List[float] = field(default_factory=list)
    seconds: float = 0.
    waiting: float = 0.
    training: float = 0.
    evaluating: float = 0.

    @property
    def end(self) -> Point:
        """The last validation."""
        return self.points[-1]

    def time_to(self, score: float) -> Optional[float]:
        """Find the seconds to the first validation that reaches a score."""
        return next((point.seconds
                     for point in self.points if point.score >= score), None)


def read_run(work_dir: Union[str, Path], metric: Optional[str] = None) -> Run:
    """Read the logs in a work dir; those of a resumed run count together.

    Args:
        work_dir (str or Path): Folder of the run.
        metric (str, optional): Name of the metric, such as ``acc/top1``.
            Defaults to the first that a validation logged.

    Raises:
        FileNotFoundError: There is no log.
        ValueError: No validation is in it, or none with such a metric.
    """
    paths = sorted(
        path for path in Path(work_dir).glob('*/*.log')
        if path.stem == path.parent.name)
    if not paths:
        raise FileNotFoundError(f'{work_dir}: has no TIME/TIME.log, as '
                                'mmengine writes one into a work dir')
    run = Run(Path(work_dir).resolve().name, metric)
    for path in paths:
        lines = LINE.findall(path.read_text('utf-8', errors='replace'))
        starts = [(i, match[1]) for i, (_, text) in enumerate(lines)
                  if (match := BEGIN.match(text))]
        if starts:  # a start that was refused has none
            if not any(resumed for _, resumed in starts):
                run = Run(run.name, metric)  # another run was here before
            _read_log(run, lines[starts[0][0]:])
    if not run.points:
        asked = f' with {metric!r}' if metric else ''
        raise ValueError(f'{work_dir}: no validation{asked} is in its log; is '
                         'log_level INFO, and has one been made?')
    return run


def _read_log(run: Run, lines: Sequence[Tuple[str, str]]) -> None:
    """Add what a log says; iterations have the times of their line."""
    times = [datetime.strptime(time, '%Y/%m/%d %H:%M:%S') for time, _ in lines]
    before, last = run.seconds, {}
    epoch = length = begin = done = 0  # begin: iterations before the epoch
    for time, (_, text) in zip(times, lines):
        run.seconds = before + (time - times[0]).total_seconds()
        if text.startswith('Multigrid stage '):
            run.stages.append(run.seconds)
        if (match := BEGIN.match(text)) and match[1]:
            begin = done = int(match[1])
            run.points = [
                point for point in run.points if point.iterations <= done
            ]
        if not (match := PROGRESS.match(text)):
            continue
        mode, number, now, size, rest = match.groups()
        found = {name: float(value) for name, value in NUMBER.findall(rest)}
        metrics = [name for name in found if name not in NO_METRICS]
        if mode == 'train':
            if number and int(number) != epoch:
                begin += length
                epoch, length = int(number), int(size)
            now, last = int(now) + (begin if number else 0), found
        else:  # the last iterations of an epoch may have no line
            now = begin + length if metrics and epoch else done
        run.waiting += (now - done) * last.get('data_time', 0.)
        run.training += (now - done) * (
            last.get('time', 0.) - last.get('data_time', 0.))
        done = now
        if mode == 'val' and metrics:
            run.evaluating += int(size) * found.get('time', 0.)
            run.metric = run.metric or metrics[0]
            if run.metric in found:
                score = found[run.metric]
                run.points.append(
                    Point(run.seconds, epoch, done,
                          100 * score if 0 <= score <= 1 else score))
