"""Open every video of a list to find those that cannot be read."""

import argparse
import sys
from pathlib import Path

from rich.progress import track

from ..loading.train_data import read_list, video_path
from ..loading.videos import check_videos
from .common import above_zero


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'list',
        metavar='LIST',
        type=Path,
        help='annotation file with one video per line, its path first')
    parser.add_argument(
        '--root', type=Path, default=Path(), help='folder of the videos')
    parser.add_argument(
        '--delimiter',
        help='between path and label, as in the dataset; default: white space')
    parser.add_argument(
        '--out',
        metavar='CLEAN',
        type=Path,
        help='file to write the lines of readable videos to')
    parser.add_argument(
        '--processes',
        type=above_zero,
        default=1,
        help='number of processes; default: 1')


def run(args: argparse.Namespace) -> int:
    """Check a list, and print a line for each broken video."""
    lines = read_list(args.list)
    # The first field only, as MMAction2 splits lines: a path has no delimiter.
    paths = [
        video_path(str(args.root / line.strip().split(args.delimiter)[0]))
        for line in lines
    ]
    fine = []
    found = track(
        check_videos(paths, processes=args.processes),
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
