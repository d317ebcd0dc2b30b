"""What a training run did, from the log that mmengine writes; and how two runs compare."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple, Union

LINE = re.compile(r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - mmengine - \w+ - (.*)$')
# By iterations (log_processor.by_epoch = False) without the epoch.
PROGRESS = re.compile(r'^(?:Epoch|Iter)\((train|val)\)\s+(?:\[(\d+)\])?'
                      r'\[\s*(\d+)/(\d+)\]\s+(.*)$')
NUMBER = re.compile(r'(\S+): ([-+.\deE]+|nan|inf)(?=\s|$)')
STAGE = re.compile(r'^Multigrid stage \d+/\d+, epochs (\d+) to \d+: ')
SAVED = re.compile(r'^Saving checkpoint at (\d+) epochs')
RESUMED_AT = re.compile(r'^resumed epoch: (\d+), iter: (\d+)')
BEGIN, RESUMED, SAVING = 'Checkpoints will be saved to ', 'resumed epoch: ', 'Saving checkpoint at '
NO_METRICS = ('time', 'data_time', 'eta', 'memory')
MARGINS = (5., 2., 1., 0.5, 0.)  # points below the first run's end


@dataclass
class Point:
    """A validation.

    Attributes:
        seconds (float): Wall-clock since training began, of all the times that the run was resumed.
        epoch (int): Epochs finished; in a log by iterations those of the
            last checkpoint, 0 before the first.
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
    """What is known of a run.

    Attributes:
        name (str): Name of its work dir.
        metric (str): Name of the metric.
        points (list[Point]): Validations, in order.
        stages (list[float]): Seconds at which stages began; none for a run without multigrid.
        seconds (float): Wall-clock, from the first iteration to the last thing that was logged.
        waiting (float): Of it, for data.
        training (float): Of it, in the network.
        evaluating (float): Of it, in validations.
        saving (float): Of it, for checkpoints.
    """
    name: str
    metric: str = ''
    points: List[Point] = field(default_factory=list)
    stages: List[float] = field(default_factory=list)
    seconds: float = 0.
    waiting: float = 0.
    training: float = 0.
    evaluating: float = 0.
    saving: float = 0.

    @property
    def end(self) -> Point:
        """The last validation."""
        return self.points[-1]

    def time_to(self, score: float) -> Optional[float]:
        """Seconds to the first validation that reaches a score; None if none does."""
        return next((point.seconds for point in self.points if point.score >= score), None)


def read_run(work_dir: Union[str, Path], metric: Optional[str] = None) -> Run:
    """Read the logs in a work dir; those of a run that was resumed count together.

    Args:
        work_dir: Folder of the run.
        metric: Name of the metric, such as ``acc/top1``. Defaults to the first that a validation logged.

    Raises:
        FileNotFoundError: There is no log.
        ValueError: No validation is in it, or none with such a metric.
    """
    paths = sorted(path for path in Path(work_dir).glob('*/*.log') if path.stem == path.parent.name)
    if not paths:
        raise FileNotFoundError(f'{work_dir}: has no TIME/TIME.log, as mmengine writes one into a work dir')
    logs = [log for log in (list(_lines(path)) for path in paths) if log]  # a start that was refused has no line
    first = max((i for i, log in enumerate(logs) if not any(text.startswith(RESUMED) for _, text in log)), default=0)
    reader = _Reader(Run(Path(work_dir).resolve().name), metric)
    for log in logs[first:]:  # before that, another run was here
        reader.read(log)
    if not reader.run.points:
        raise ValueError(f'{work_dir}: no validation' + (f' with {metric!r}' if metric else '') + ' is in its log; is '
                         'log_level INFO, and has one been made?')
    return reader.run


def _lines(path: Path) -> Iterator[Tuple[datetime, str]]:
    """Time and text of what the log says, from the beginning of training on."""
    begun = False
    with open(path, encoding='utf-8', errors='replace') as file:
        for line in file:
            match = LINE.match(line)
            if match:
                text = match.group(2)
                begun = begun or text.startswith((BEGIN, RESUMED))
                if begun:
                    yield datetime.strptime(match.group(1), '%Y/%m/%d %H:%M:%S'), text


class _Reader:
    """Adds up what the lines of a log say."""

    def __init__(self, run: Run, metric: Optional[str]) -> None:
        self.run, self.metric = run, metric
        self.lengths: Dict[int, int] = {}  # iterations of each epoch
        self.saved = 0  # epochs of the last checkpoint
        self.before = 0.  # seconds of the logs before this one

    def read(self, log: Sequence[Tuple[datetime, str]]) -> None:
        """Read one log."""
        self.last = (0, 0, {})  # epoch, iteration and figures of the last line of training
        self.saving_since: Optional[float] = None
        self.evaluated = 0.
        for time, text in log:
            now = self.before + (time - log[0][0]).total_seconds()
            self.run.seconds = now
            if STAGE.match(text):
                self.run.stages.append(now)
            elif match := RESUMED_AT.match(text):
                self._resume(*map(int, match.groups()))
            elif text.startswith(SAVING):
                self.saving_since = now
                if match := SAVED.match(text):
                    self.saved = int(match.group(1))
            elif match := PROGRESS.match(text):
                self._progress(now, *match.groups())
        self._finish_epoch()
        self.before = self.run.seconds

    def _resume(self, epoch: int, iterations: int) -> None:
        """Forget what is made again."""
        self.run.points = [point for point in self.run.points
                           if point.iterations <= iterations]
        self.last, self.saved = (0, iterations, {}), epoch

    def _progress(self, now: float, mode: str, epoch: Optional[str], done: str,
                  length: str, rest: str) -> None:
        epoch, done, length = int(epoch or 0), int(done), int(length)
        figures = {name: float(value) for name, value in NUMBER.findall(rest)}
        if mode == 'train':
            if epoch != self.last[0]:
                self._finish_epoch()
            count = done - (self.last[1] if epoch == self.last[0] else 0)
            self._finish_saving(now - count * figures.get('time', 0.))
            self.lengths[epoch] = length
            self._add(count, figures)
            self.last = epoch, done, figures
            return
        metrics = {name: value for name, value in figures.items() if name not in NO_METRICS}
        if not metrics:  # in the midst of a validation
            return
        self._finish_epoch()
        seconds = length * figures.get('time', 0.)
        self.run.evaluating += seconds
        self._finish_saving(now - seconds)
        name = self.metric or next(iter(metrics))
        if name in metrics:
            self._add_point(now, epoch, name, metrics[name])

    def _add(self, iterations: int, figures: Dict[str, float]) -> None:
        waiting = figures.get('data_time', 0.)
        self.run.waiting += iterations * waiting
        self.run.training += iterations * (figures.get('time', 0.) - waiting)

    def _finish_epoch(self) -> None:
        """Count the iterations after the last line of an epoch, which mmengine does not log, as those before."""
        epoch, done, figures = self.last
        if epoch:
            self._add(self.lengths[epoch] - done, figures)
            self.last = epoch, self.lengths[epoch], figures

    def _finish_saving(self, now: float) -> None:
        if self.saving_since is not None:
            self.run.saving += max(0., now - self.saving_since)
            self.saving_since = None

    def _add_point(self, now: float, epoch: int, name: str, value: float) -> None:
        self.run.metric = name
        iterations = self.last[1]
        if epoch:
            iterations = sum(self.lengths.get(i, 0)
                             for i in range(1, epoch + 1))
        share = 100. if 0 <= value <= 1 else 1.
        self.run.points.append(
            Point(now, epoch or self.saved, iterations, share * value))


def compare(runs: Sequence[Run], margins: Sequence[float] = MARGINS) -> List[Tuple[float, List[Optional[float]]]]:
    """Seconds that each run took to scores below the first run's end.

    Returns:
        list: (score, seconds of each run, None for one that did not reach it) for each margin.
    """
    end = runs[0].end.score
    return [(end - margin, [run.time_to(end - margin) for run in runs]) for margin in margins]
