"""Compare training runs by their logs: accuracy against time."""

import argparse
from typing import List

from ..profiling.runs import Run, draw_runs, read_run
from .common import format_time, print_table

# Points below the last score of the first run, which count as reaching it: the
# goal of this project is the accuracy of base training less half a point.
MARGIN = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'work_dirs',
        metavar='WORK_DIR',
        nargs='+',
        help='work dir of a run; the others are compared to the first')
    parser.add_argument(
        '--metric',
        help='metric such as acc/top1; default: the first that is logged')
    parser.add_argument(
        '--out', metavar='FILE', help='draw the scores against training time')


def run(args: argparse.Namespace) -> None:
    """Print the table, and draw it with ``--out``."""
    runs = [read_run(work_dir, args.metric) for work_dir in args.work_dirs]
    print_runs(runs)
    if args.out:
        draw_runs(runs, args.out)
        print(f'picture: {args.out}')


def print_runs(runs: List[Run]) -> None:
    """Print runs, and how fast each gets close to the first one's score."""
    goal, rows = runs[0].end.score - MARGIN, []
    base_time = runs[0].time_to(goal)
    for run in runs:
        time = run.time_to(goal)
        rows.append((
            run.name,
            str(run.end.epoch or '-'),
            str(run.end.iterations),
            format_time(run.end.seconds),
            # Of a log without times the share would be 0 / 0.
            f'{100 * run.waiting / max(run.seconds, 1e-9):.0f} %',
            f'{run.end.score:.1f} %',
            format_time(time) if time else '-',
            f'{base_time / time:.2f}' if time else '-'))
    print_table(
        ('run', 'epochs', 'iterations', 'training time', 'waiting for data',
         'score', f'time to {goal:.1f} %', 'times as fast'), rows)
    print('times are without validations and checkpoints')
