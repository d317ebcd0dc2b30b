"""Opens every video of a list in a process of its own, before training meets those that kill their reader."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from rich.progress import track

from ..loading.files import read_list, video_path
from ..loading.videos import check_videos

EXAMPLE = 'videos train.txt --root data/videos --out clean.txt   (exit status 1 if a video is bad)'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument('list', metavar='LIST', type=Path, help='annotation file: a video a line, its path first')
    parser.add_argument('--root', type=Path, default=Path(), help='folder that the paths are relative to')
    parser.add_argument('--delimiter', help='between path and label, as in the data set; default: white space')
    parser.add_argument('--out', metavar='CLEAN', type=Path, help='where to write the lines of fine videos, to train on')
    parser.add_argument('--processes', type=int, default=1, help='side by side; default: 1')
    parser.add_argument('--timeout', type=float, default=60., help='seconds that a video may take; default: 60')


def run(args: argparse.Namespace) -> int:
    """Check a list; a line on stdout for every bad video."""
    for name in ('processes', 'timeout'):
        if getattr(args, name) <= 0:
            raise ValueError(f'--{name} {getattr(args, name):g}: must be above 0')
    lines = read_list(args.list)
    paths = [
        video_path(str(args.root / line.strip().split(args.delimiter)[0]))
        for line in lines
    ]
    kinds: Counter = Counter()
    fine = []
    found = track(check_videos(paths, args.timeout, args.processes), 'opening', len(paths),
                  disable=not sys.stdout.isatty())
    for line, (path, answer) in zip(lines, found):
        kind = answer if answer == 'fine' else answer.split(':')[0] if answer[:5] in ('crash', 'hang:') else 'error'
        kinds[kind] += 1
        if kind == 'fine':
            fine.append(line)
        else:
            print(f'{path}\t{answer}')
    print(f'{len(lines)} videos: ' + ', '.join(f'{count} {kind}' for kind, count in kinds.most_common()))
    if args.out:
        args.out.write_text(''.join(f'{line}\n' for line in fine), encoding='utf-8')
    return 0 if len(fine) == len(lines) else 1
