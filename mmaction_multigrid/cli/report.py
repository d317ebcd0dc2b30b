"""Compare training runs by their logs: accuracy against wall-clock."""

import argparse
from typing import List, Optional

from ..profiling.drawing import draw_runs
from ..profiling.runs import Run, read_run
from .common import print_table

COLUMNS = ('run', 'epochs', 'iterations', 'wall-clock', 'score', 'training',
           'waiting for data', 'evaluating')
MARGINS = (5., 2., 1., 0.5, 0.)  # points below the first run's end


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        'work_dirs',
        metavar='WORK_DIR',
        nargs='+',
        help='of a run; the others are compared to the first')
    parser.add_argument(
        '--metric',
        help='such as acc/top1; default: the first that a validation logged')
    parser.add_argument(
        '--out',
        metavar='FILE',
        help='draw the score against wall-clock, with the stages shaded')


def run(args: argparse.Namespace) -> None:
    """Print the tables, and draw if asked to."""
    runs = [read_run(work_dir, args.metric) for work_dir in args.work_dirs]
    print_runs(runs)
    if args.out:
        draw_runs(runs, args.out)
        print(f'picture: {args.out}')


def print_runs(runs: List[Run]) -> None:
    """Print runs, and compare the others to the first."""
    base, *others = runs
    rows = [(run.name, str(run.end.epoch or '-'), str(run.end.iterations),
             _seconds(run.end.seconds), f'{run.end.score:.1f} %',
             *(f'{100 * part / max(run.seconds, 1e-9):.0f} %'
               for part in (run.training, run.waiting, run.evaluating)))
            for run in runs]
    print_table(COLUMNS, rows)
    if others:
        rows = [('the end', [run.end.seconds for run in runs])]
        for score in (base.end.score - margin for margin in MARGINS):
            rows.append(
                (f'{score:.1f} %', [run.time_to(score) for run in runs]))
        print()
        print_table([
            'time to', *(run.name for run in runs), *(f'{run.name} is faster'
                                                      for run in others)
        ], [(name, *map(_seconds, times),
             *(f'{times[0] / time:.2f}x' if times[0] and time else '-'
               for time in times[1:])) for name, times in rows])


def _seconds(seconds: Optional[float]) -> str:
    if seconds is None:
        return '-'
    return f'{seconds / 3600:.1f} h' if seconds >= 3 * 3600 else (
        f'{seconds:.0f} s')
