"""Builds, checks and describes a grid store: the videos once more, small, so that coarse clips are cheap to load."""

import argparse
import os
import sys
from pathlib import Path
from typing import List, Optional, Tuple

from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

from ..frame_store.build import build
from ..frame_store.index import Index
from ..frame_store.sizes import sides_of
from ..frame_store.sources import Source, sources_in, sources_of
from ..frame_store.state import FAILED, store_info, store_settings

EXAMPLE = 'store build train.txt STORE --root data/videos --config CONFIG'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the three commands and their arguments."""
    commands = parser.add_subparsers(dest='store_command', metavar='build|check|info', required=True)
    text = ('write the copies that are missing; goes on where it was broken '
            'off (exit status 1 if a video could not be copied)')
    builder = commands.add_parser('build', help=text)
    builder.add_argument('list', metavar='LIST', type=Path, nargs='?', help="annotation file; default: the config's")
    builder.add_argument('store', metavar='STORE', type=Path, help='folder of the store')
    builder.add_argument('--root', type=Path, help="folder of the videos, data_prefix; default: the config's")
    builder.add_argument('--config', help='multigrid config: what its shapes need, from what its pipeline reads')
    builder.add_argument(
        '--delimiter',
        help='between path and label, without --config; default: white space')
    builder.add_argument('--sides', type=int, nargs='+', help="short sides in pixels; default: the config's")
    builder.add_argument('--full', action='store_true', help='the size of the full grid, too')
    builder.add_argument('--quality', type=int, default=90, help='of the JPEGs; default: %(default)s')
    builder.add_argument('--frame-stride', type=int, default=1, help='keep every how many-th frame; default: 1')
    builder.add_argument('--processes', type=int, help='side by side; default: one for each CPU')
    builder.add_argument('--part', default='1/1', metavar='I/N', help='only the I-th of N parts, for job arrays')
    checker = commands.add_parser('check', help='read every copy: is it what was written? (exit status 1 if one is not)')
    checker.add_argument('--processes', type=int, default=1, help='copies to read side by side; default: 1')
    teller = commands.add_parser('info', help='settings, sizes, number of videos and room')
    for command in (checker, teller):
        command.add_argument('store', metavar='STORE', type=Path, help='folder of the store')


def run(args: argparse.Namespace) -> int:
    """Run one of the three."""
    if getattr(args, 'processes', None) is not None and args.processes < 1:
        raise ValueError(f'--processes {args.processes}: must be at least 1')
    return dict(build=_build, check=_check, info=_info)[args.store_command](args)


def _build(args: argparse.Namespace) -> int:
    part = _read_part(args.part)
    cfg = Config.fromfile(args.config) if args.config else None
    if cfg is None and not (args.sides and args.list):
        raise ValueError('--config is missing: it tells videos and sizes; or give LIST and --sides')
    if args.full and args.sides:
        raise ValueError('--full adds a size to those of the config, and --sides names all')
    if args.delimiter and args.config:
        raise ValueError(
            f'--delimiter {args.delimiter!r}: the list is read as the data '
            'set of --config reads it; set the delimiter there')
    # What is wrong is said before the list is read.
    store_settings(args.sides or (2**15, ), args.quality, args.frame_stride)
    sources = _find_sources(cfg, args.list, args.root, args.delimiter)
    settings = store_settings(args.sides or sides_of(cfg, sources, args.full),
                              args.quality, args.frame_stride)
    result = build(sources, args.store, settings,
                   args.processes or os.cpu_count() or 1, part)
    if result['failed'] and not result['videos']:
        hint = '' if cfg else '; are --root and --delimiter right?'
        raise ValueError(
            f'{args.store}: none of these {len(sources)} videos could be '
            f'copied. The first: {min(result["failed"].values())}{hint}')
    print(f'{args.store}: {result["videos"]} of these {len(sources)} videos with short sides of '
          f'{", ".join(map(str, settings["sides"]))} pixels')
    if result['failed']:
        print(f'{len(result["failed"])} videos could not be copied, and are read from their originals'
              + (f': {args.store / FAILED}' if result['finished'] else ''))
    if not result['finished']:
        print(f'part {args.part} is done; the store can be used when all parts are')
    return 1 if result['failed'] else 0


def _read_part(text: str) -> Tuple[int, int]:
    part, _, parts = text.partition('/')
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ValueError(f'--part {text}: must be I/N, as 1/8 to 8/8')
    return int(part), int(parts)


def _find_sources(cfg: Optional[Config], listed: Optional[Path],
                  root: Optional[Path],
                  delimiter: Optional[str]) -> List[Source]:
    if cfg is None:
        return sources_in(listed, root or Path(), delimiter)
    init_default_scope(cfg.get('default_scope') or 'mmaction')
    return sources_of(cfg, listed, root)


def _check(args: argparse.Namespace) -> int:
    index = Index(str(args.store))
    wrong = 0
    number = len(index) * len(index.sides)
    for path, answer in track(index.check(args.processes), 'copies', number,
                              disable=not sys.stdout.isatty()):
        if answer:
            print(f'{path}\t{answer}')
            wrong += 1
    print(f'{len(index)} videos, {number} copies, {wrong} of them not whole'
          + ('; `store build` makes those anew that are removed' if wrong else ''))
    return 1 if wrong else 0


def _info(args: argparse.Namespace) -> int:
    info = store_info(args.store)
    room = ', '.join(f'{side} ({size / 2**30:.3g} GiB)' for side, size in zip(info['sides'], info['bytes']))
    print(f'{args.store}: {info["videos"]} videos of {info["frames"]} frames with short sides of {room} pixels, '
          f'{sum(info["bytes"]) / 2**30:.3g} GiB; quality {info["quality"]}, every {info["frame_stride"]}. frame; '
          f'{info["failed"]} videos could not be copied')
    if info['logged'] or not info['finished']:
        print(f'{info["logged"]} videos are copied and not in the index: run `store build` again'
              + ('' if info['finished'] else '; until then the store cannot be used'))
    return 0
