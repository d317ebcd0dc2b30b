"""What training runs did, from the logs that mmengine writes."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

LINE = re.compile(
    r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - mmengine - \w+ - (.*)$', re.MULTILINE)
# By iterations (log_processor.by_epoch = False) without the epoch.
PROGRESS = re.compile(r'^(?:Epoch|Iter)\((train|val)\)\s+(?:\[(\d+)\])?'
                      r'\[\s*(\d+)/(\d+)\]\s+(.*)$')
NUMBER = re.compile(r'(\S+): ([-+.\deE]+|nan|inf)(?=\s|$)')
STAGE = re.compile(r'^Multigrid stage \d+/\d+, epochs \d+ to \d+: ')
SAVED = re.compile(r'^Saving checkpoint at (\d+) epochs')
RESUMED = re.compile(r'^resumed epoch: (\d+), iter: (\d+)')
BEGIN = 'Checkpoints will be saved to '
NO_METRICS = ('time', 'data_time', 'eta', 'memory')
MARGINS = (5., 2., 1., 0.5, 0.)  # points below the first run's end
Line = Tuple[datetime, str]


@dataclass
class Point:
    """A validation.

    Attributes:
        seconds (float): Wall-clock since training began, of all the times
            that the run was resumed.
        epoch (int): Epochs finished; in a log by iterations those of the last
            checkpoint, 0 before the first.
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
        stages (list[float]): Seconds at which stages began; none for a run
            without multigrid.
        seconds (float): Wall-clock, from the first iteration to the last
            thing that was logged.
        waiting (float): Of it, for data.
        training (float): Of it, in the network.
        evaluating (float): Of it, in validations.
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
        """Seconds to the first validation that reaches a score, or None."""
        return next((point.seconds for point in self.points
                     if point.score >= score), None)


def read_run(work_dir: Union[str, Path], metric: Optional[str] = None) -> Run:
    """Read the logs in a work dir.

    Those of a run that was resumed count together. ``scalars.json`` would not
    do: it has neither times of day nor stages.

    Args:
        work_dir: Folder of the run.
        metric: Name of the metric, such as ``acc/top1``. Defaults to the first
            that a validation logged.

    Raises:
        FileNotFoundError: There is no log.
        ValueError: No validation is in it, or none with such a metric.
    """
    paths = sorted(path for path in Path(work_dir).glob('*/*.log')
                   if path.stem == path.parent.name)
    if not paths:
        raise FileNotFoundError(f'{work_dir}: has no TIME/TIME.log, as '
                                'mmengine writes one into a work dir')
    name = Path(work_dir).resolve().name
    reader = _Reader(Run(name, metric))
    for path in paths:
        log = _read_log(path)
        if log and not any(RESUMED.match(text) for _, text in log):
            reader = _Reader(Run(name, metric))  # before, another run was here
        reader.read(log)
    if not reader.run.points:
        asked = f' with {metric!r}' if metric else ''
        raise ValueError(f'{work_dir}: no validation{asked} is in its log; is '
                         'log_level INFO, and has one been made?')
    return reader.run


def _read_log(path: Path) -> List[Line]:
    """Time and text of each line from the beginning of training on."""
    lines = LINE.findall(path.read_text(encoding='utf-8', errors='replace'))
    begin = next((i for i, (_, text) in enumerate(lines)
                  if text.startswith(BEGIN) or RESUMED.match(text)),
                 len(lines))  # a start that was refused
    return [(datetime.strptime(time, '%Y/%m/%d %H:%M:%S'), text)
            for time, text in lines[begin:]]


class _Reader:
    """Adds up what the lines of logs say."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.saved = 0  # epochs of the last checkpoint
        self.done = 0  # iterations
        self.figures: Dict[str, float] = {}

    def read(self, log: Sequence[Line]) -> None:
        """Read one log."""
        run, before = self.run, self.run.seconds
        # The epoch that is trained, its iterations, and those before it.
        self.epoch, self.length, self.begin = 0, 0, self.done
        for time, text in log:
            run.seconds = before + (time - log[0][0]).total_seconds()
            if STAGE.match(text):
                run.stages.append(run.seconds)
            elif match := RESUMED.match(text):
                self.saved, self.done = map(int, match.groups())
                self.begin = self.done
                run.points = [point for point in run.points
                              if point.iterations <= self.done]
            elif match := SAVED.match(text):
                self.saved = int(match[1])
            elif match := PROGRESS.match(text):
                mode, epoch, done, length, rest = match.groups()
                figures = {name: float(value)
                           for name, value in NUMBER.findall(rest)}
                if mode == 'val':
                    self._validate(int(length), figures)
                    continue
                if epoch and int(epoch) != self.epoch:
                    self.begin += self.length
                    self.epoch, self.length = int(epoch), int(length)
                self.figures = figures
                self._train(int(done) + (self.begin if epoch else 0))

    def _train(self, done: int) -> None:
        """Count iterations, whose figures are those of the last line."""
        count, self.done = done - self.done, done
        waiting = count * self.figures.get('data_time', 0.)
        self.run.waiting += waiting
        self.run.training += count * self.figures.get('time', 0.) - waiting

    def _validate(self, batches: int, figures: Dict[str, float]) -> None:
        run = self.run
        metrics = [name for name in figures if name not in NO_METRICS]
        if not metrics:  # in the midst of a validation
            return
        if self.epoch:  # whose last iterations have no line
            self._train(self.begin + self.length)
        run.evaluating += batches * figures.get('time', 0.)
        run.metric = run.metric or metrics[0]
        if run.metric in figures:
            score = figures[run.metric]
            run.points.append(Point(
                run.seconds, self.epoch or self.saved, self.done,
                100 * score if 0 <= score <= 1 else score))


def compare(runs: Sequence[Run], margins: Sequence[float] = MARGINS
            ) -> List[Tuple[float, List[Optional[float]]]]:
    """Seconds that each run took to scores below the first run's end.

    Returns:
        list: (score, seconds of each run, None for one that did not reach it)
        for each margin.
    """
    end = runs[0].end.score
    return [(end - margin, [run.time_to(end - margin) for run in runs])
            for margin in margins]
