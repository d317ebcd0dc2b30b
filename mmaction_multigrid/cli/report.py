"""Reads what training runs logged: top-1 against wall-clock, what took the time, and who was where first."""

import argparse
from typing import List, Optional

from ..plan.drawing import draw_runs
from ..plan.runs import Run, compare, read_run
from .output import print_table

EXAMPLE = 'report work_dirs/baseline work_dirs/multigrid --out report.png'
COLUMNS = ('run', 'epochs', 'iterations', 'wall-clock', 'score', 'training', 'waiting for data', 'evaluating', 'saving')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument('work_dirs', metavar='WORK_DIR', nargs='+',
                        help='of a run; the first is what the others are compared to')
    parser.add_argument('--metric', help='such as acc/top1; default: the first that a validation logged')
    parser.add_argument('--title', default='', help='above table and picture')
    parser.add_argument('--out', metavar='FILE', help='draw the score against wall-clock, with the stages shaded')


def run(args: argparse.Namespace) -> None:
    """Print the tables, and draw if asked to."""
    runs = [read_run(work_dir, args.metric) for work_dir in args.work_dirs]
    print_runs(runs, args.title)
    if args.out:
        draw_runs(runs, args.out, args.title)
        print(f'picture: {args.out}')


def print_runs(runs: List[Run], title: str = '') -> None:
    """Print what each run did, how the others compare to the first, and how long each took to equal scores."""
    rows: List[tuple] = [_row(run) for run in runs]
    if len(runs) > 1:
        rows.append(())
        rows += [_ratio(runs[0], other) for other in runs[1:]]
    print_table(COLUMNS, rows, title, left=('run', ))
    if len(runs) > 1:
        print()
        table = [[f'{score:.1f} %', *map(_seconds, times), *(_times_faster(times[0], time) for time in times[1:])]
                 for score, times in compare(runs)]
        names = [run.name for run in runs]
        print_table(['time to', *names, *(f'{name} is faster' for name in names[1:])], table)


def _row(run: Run) -> tuple:
    shares = (f'{100 * part / max(run.seconds, 1e-9):.0f} %'
              for part in (run.training, run.waiting, run.evaluating, run.saving))
    return (run.name, str(run.end.epoch or '-'), str(run.end.iterations),
            _seconds(run.end.seconds), f'{run.end.score:.1f} %', *shares)


def _ratio(base: Run, other: Run) -> tuple:
    epochs = '-'
    if other.end.epoch and base.end.epoch:
        epochs = f'{other.end.epoch / base.end.epoch:.2f}'
    return (f'{other.name} / {base.name}', epochs,
            f'{base.end.iterations / max(1, other.end.iterations):.2f}x fewer',
            f'{_times_faster(base.end.seconds, other.end.seconds)} faster', f'{other.end.score - base.end.score:+.1f}',
            '', '', '', '')


def _seconds(seconds: Optional[float]) -> str:
    if seconds is None:
        return '-'
    return f'{seconds:.0f} s' if seconds < 3 * 3600 else f'{seconds / 3600:.1f} h'


def _times_faster(base: Optional[float], other: Optional[float]) -> str:
    return '-' if base is None or not other else f'{base / other:.2f}x'
