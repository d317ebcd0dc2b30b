"""Reads what training runs logged: top-1 against wall-clock, what took the time, and who was where first."""

import argparse
from typing import List, Optional

from ..profiling.drawing import draw_runs
from ..profiling.runs import Run, compare, read_run
from .output import print_table

EXAMPLE = 'report work_dirs/baseline work_dirs/multigrid --out report.png'
COLUMNS = ('run', 'epochs', 'iterations', 'wall-clock', 'score', 'training', 'waiting for data', 'evaluating')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument('work_dirs', metavar='WORK_DIR', nargs='+',
                        help='of a run; the first is what the others are compared to')
    parser.add_argument('--metric', help='such as acc/top1; default: the first that a validation logged')
    parser.add_argument('--out', metavar='FILE', help='draw the score against wall-clock, with the stages shaded')


def run(args: argparse.Namespace) -> None:
    """Print the tables, and draw if asked to."""
    runs = [read_run(work_dir, args.metric) for work_dir in args.work_dirs]
    print_runs(runs)
    if args.out:
        draw_runs(runs, args.out)
        print(f'picture: {args.out}')


def print_runs(runs: List[Run], title: str = '') -> None:
    """Print what each run did, and how long each took to equal scores.

    The others are compared to the first.
    """
    base, others = runs[0], runs[1:]
    rows = [_row(run) for run in runs]
    if others:
        rows += [(), *(_ratio(base, other) for other in others)]
    print_table(COLUMNS, rows, title, left=('run', ))
    if others:
        print()
        print_table(
            ['time to', *(run.name for run in runs),
             *(f'{run.name} is faster' for run in others)],
            [[f'{score:.1f} %', *map(_seconds, times),
              *(_times(times[0], time) for time in times[1:])]
             for score, times in compare(runs)])


def _row(run: Run) -> tuple:
    shares = (f'{100 * part / max(run.seconds, 1e-9):.0f} %'
              for part in (run.training, run.waiting, run.evaluating))
    return (run.name, str(run.end.epoch or '-'), str(run.end.iterations),
            _seconds(run.end.seconds), f'{run.end.score:.1f} %', *shares)


def _ratio(base: Run, other: Run) -> tuple:
    begin, end = base.end, other.end
    return (f'{other.name} / {base.name}', _times(end.epoch, begin.epoch),
            f'{_times(begin.iterations, end.iterations)} fewer',
            f'{_times(begin.seconds, end.seconds)} faster',
            f'{end.score - begin.score:+.1f}', '', '', '')


def _seconds(seconds: Optional[float]) -> str:
    if seconds is None:
        return '-'
    if seconds < 3 * 3600:
        return f'{seconds:.0f} s'
    return f'{seconds / 3600:.1f} h'


def _times(value: Optional[float], other: Optional[float]) -> str:
    return f'{value / other:.2f}x' if value and other else '-'
