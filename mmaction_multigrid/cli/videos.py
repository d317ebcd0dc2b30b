"""Open every video of a list, and find those that cannot be read."""

import argparse
import sys
from pathlib import Path

from rich.progress import track

from ..loading.train_data import read_list, video_path
from ..loading.videos import check_videos
from .common import above_zero


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        'list',
        metavar='LIST',
        type=Path,
        help='annotation file: a video a line, its path first')
    parser.add_argument(
        '--root',
        type=Path,
        default=Path(),
        help='folder that the paths are relative to')
    parser.add_argument(
        '--delimiter',
        help='between path and label, as in the dataset; default: white space')
    parser.add_argument(
        '--out',
        metavar='CLEAN',
        type=Path,
        help='where to write the lines of fine videos, to train on')
    parser.add_argument(
        '--processes',
        type=above_zero(),
        default=1,
        help='side by side; default: 1')
    parser.add_argument(
        '--timeout',
        type=above_zero(float),
        default=60.,
        help='seconds that a video may take; default: 60')


def run(args: argparse.Namespace) -> int:
    """Check a list; a line on stdout for every bad video."""
    lines = read_list(args.list)
    paths = [
        video_path(str(args.root / line.strip().split(args.delimiter)[0]))
        for line in lines
    ]
    fine = []
    found = track(
        check_videos(paths, args.timeout, args.processes),
        'opening',
        len(paths),
        disable=not sys.stdout.isatty())
    for line, (path, answer) in zip(lines, found):
        if answer == 'fine':
            fine.append(line)
        else:
            print(f'{path}\t{answer}')
    print(f'{len(lines)} videos: {len(fine)} fine, '
          f'{len(lines) - len(fine)} cannot be read')
    if args.out:
        args.out.write_text(''.join(f'{line}\n' for line in fine), 'utf-8')
    return int(len(fine) < len(lines))
