"""Compare training runs by their logs: accuracy against time."""

import argparse
from typing import List

from ..profiling.drawing import draw_runs
from ..profiling.runs import Run, read_run
from .common import format_time, print_table

MARGIN = 1.  # points below the first run's end


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
        help='draw the score against training time, with the stages shaded')


def run(args: argparse.Namespace) -> None:
    """Print the table, and draw if asked to."""
    runs = [read_run(work_dir, args.metric) for work_dir in args.work_dirs]
    print_runs(runs)
    if args.out:
        draw_runs(runs, args.out)
        print(f'picture: {args.out}')


def print_runs(runs: List[Run]) -> None:
    """Print runs, and how fast each comes close to the first one's end."""
    goal, rows = runs[0].end.score - MARGIN, []
    base_time = runs[0].time_to(goal)
    for run in runs:
        time = run.time_to(goal)
        rows.append(
            (run.name, str(run.end.epoch or '-'), str(run.end.iterations),
             format_time(run.end.seconds),
             f'{100 * run.waiting / max(run.seconds, 1e-9):.0f} %',
             f'{run.end.score:.1f} %', format_time(time) if time else '-',
             f'{base_time / time:.2f}' if time else '-'))
    print_table(
        ('run', 'epochs', 'iterations', 'training time', 'waiting for data',
         'score', f'time to {goal:.1f} %', 'times as fast'), rows)
    print('times are without validations and checkpoints')
