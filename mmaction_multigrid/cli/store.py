"""Builds, checks and describes a grid store: the videos once more, small, so that coarse clips are cheap to load."""

import argparse
from pathlib import Path
from typing import Tuple

from mmengine.config import Config

from ..store.build import FAILED, Settings, build, read_list, sides_of
from ..store.info import check_store, store_info

EXAMPLE = 'store build train.txt STORE --root data/videos --config CONFIG'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the three commands and their arguments."""
    commands = parser.add_subparsers(dest='store_command', metavar='build|check|info', required=True)
    builder = commands.add_parser('build', help='write the copies; goes on where it was broken off')
    builder.add_argument('list', metavar='LIST', type=Path, help='annotation file: a video a line, its path first')
    builder.add_argument('store', metavar='STORE', type=Path, help='folder of the store')
    builder.add_argument('--root', type=Path, default=Path(), help='folder of the videos: data_prefix.video')
    sides = builder.add_mutually_exclusive_group(required=True)
    sides.add_argument('--config', help='multigrid config whose shapes tell the short sides')
    sides.add_argument('--sides', type=int, nargs='+', help='short sides in pixels')
    builder.add_argument('--gop', type=int, default=Settings.gop, help=f'frames a keyframe; default: {Settings.gop}')
    builder.add_argument('--crf', type=int, default=Settings.crf, help=f'quality of x264; default: {Settings.crf}')
    builder.add_argument('--processes', type=int, help='side by side; default: one for each CPU')
    for name, text in (('check', 'is every copy there, and of its size? (exit status 1 if one is not)'),
                       ('info', 'sizes, number of videos and room')):
        commands.add_parser(name, help=text).add_argument('store', metavar='STORE', type=Path, help='folder of the store')


def run(args: argparse.Namespace) -> int:
    """Run one of the three."""
    return dict(build=_build, check=_check, info=_info)[args.store_command](args)


def _build(args: argparse.Namespace) -> int:
    chosen: Tuple[int, ...] = tuple(args.sides or sides_of(Config.fromfile(args.config)))
    settings = Settings(chosen, args.gop, args.crf)
    result = build(read_list(args.list), args.root, args.store, settings, args.processes)
    print(f'{args.store}: {result["videos"]} videos with short sides of {", ".join(map(str, settings.sides))} pixels, '
          f'{result["bytes"] / 2**30:.3g} GiB')
    if result['failed']:
        print(f'{len(result["failed"])} videos could not be copied, and are read from their originals: '
              f'{args.store / FAILED}')
    return 0


def _check(args: argparse.Namespace) -> int:
    wrong = check_store(args.store)
    for name, error in wrong:
        print(f'{name}\t{error}')
    print(f'{store_info(args.store)["videos"]} videos, {len(wrong)} of them not whole')
    return 1 if wrong else 0


def _info(args: argparse.Namespace) -> int:
    info = store_info(args.store)
    print(f'{args.store}: {info["videos"]} videos with short sides of {", ".join(map(str, info["sides"]))} pixels, '
          f'{info["bytes"] / 2**30:.3g} GiB' + ('' if info['finished'] else '; not finished'))
    return 0
