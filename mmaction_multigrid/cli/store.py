"""Build, check and describe a grid store: small copies of the videos."""

import argparse
import os
import sys
from pathlib import Path
from typing import Tuple

from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

from ..frame_store.build import build
from ..frame_store.index import Index
from ..frame_store.sizes import sides_of
from ..frame_store.sources import sources_in, sources_of
from ..frame_store.state import FAILED, store_info, store_settings
from .common import above_zero


def read_part(text: str) -> Tuple[int, int]:
    """Read I/N."""
    part, _, parts = text.partition('/')
    if not (part.isdecimal() and parts.isdecimal()
            and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f'{text}: must be I/N, as 1/8 to 8/8')
    return int(part), int(parts)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the three commands and their arguments."""
    commands = parser.add_subparsers(metavar='build|check|info', required=True)
    text = ('write the copies that are missing; goes on where it was broken '
            'off (exit status 1 if a video could not be copied)')
    builder = commands.add_parser('build', help=text)
    builder.set_defaults(action=_build)
    add_build(builder)
    for name, action, text in (('check', _check,
                                'read every copy: is it what was written? '
                                '(exit status 1 if one is not)'),
                               ('info', _info,
                                'settings, sizes, number of videos and room')):
        command = commands.add_parser(name, help=text)
        command.set_defaults(action=action)
        command.add_argument(
            'store', metavar='STORE', type=Path, help='folder of the store')
        command.add_argument(
            '--processes',
            type=above_zero(),
            default=1,
            help='side by side; default: 1')


def add_build(builder: argparse.ArgumentParser) -> None:
    """Add the arguments of ``build``."""
    add = builder.add_argument
    add('list',
        metavar='LIST',
        type=Path,
        nargs='?',
        help="annotation file; default: the config's")
    add('store', metavar='STORE', type=Path, help='folder of the store')
    add('--root',
        type=Path,
        help="folder of the videos, data_prefix; default: the config's")
    lists = builder.add_mutually_exclusive_group()
    lists.add_argument(
        '--config',
        help='multigrid config: what its shapes need, '
        'from what its pipeline reads')
    lists.add_argument(
        '--delimiter',
        help='between path and label of LIST; default: white space')
    sizes = builder.add_mutually_exclusive_group()
    sizes.add_argument(
        '--sides',
        type=int,
        nargs='+',
        help="short sides in pixels; default: the config's")
    sizes.add_argument(
        '--full', action='store_true', help='the size of the full grid, too')
    add('--quality',
        type=int,
        default=90,
        help='of the JPEGs; default: %(default)s')
    add('--frame-stride',
        type=int,
        default=1,
        help='keep every how many-th frame; default: 1')
    add('--processes',
        type=above_zero(),
        help='side by side; default: one for each CPU')
    add('--part',
        default=(1, 1),
        type=read_part,
        metavar='I/N',
        help='only the I-th of N parts, for job arrays')


def run(args: argparse.Namespace) -> int:
    """Run one of the three."""
    return args.action(args)


def _build(args: argparse.Namespace) -> int:
    if args.config:
        cfg = Config.fromfile(args.config)
        init_default_scope(cfg.get('default_scope') or 'mmaction')
        sources = sources_of(cfg, args.list, args.root)
        sides = args.sides or sides_of(cfg, sources, args.full)
    elif args.sides and args.list:
        sources = sources_in(args.list, args.root or Path(), args.delimiter)
        sides = args.sides
    else:
        raise ValueError('--config is missing, which names videos and sizes; '
                         'or give LIST and --sides')
    settings = store_settings(sides, args.quality, args.frame_stride)
    result = build(sources, args.store, settings, args.processes
                   or os.cpu_count() or 1, args.part)
    failed = result['failed']
    print(f'{args.store}: {result["videos"]} of these '
          f'{len(sources)} videos with short sides of '
          f'{", ".join(map(str, settings["sides"]))} pixels')
    if failed:
        print(f'{len(failed)} videos could not be copied, and are read from '
              f'their originals; the first: {min(failed.values())}' +
              (f'. All are in {args.store / FAILED}' *
               bool(result['finished'])))
    if not result['finished']:
        print('part {}/{} is done; the store '
              'can be used when all parts are'.format(*args.part))
    return int(bool(failed))


def _check(args: argparse.Namespace) -> int:
    index = Index(str(args.store))
    copies, wrong = len(index) * len(index.sides), 0
    for path, answer in track(
            index.check(args.processes),
            'copies',
            copies,
            disable=not sys.stdout.isatty()):
        if answer:
            print(f'{path}\t{answer}')
            wrong += 1
    print(f'{len(index)} videos, {copies} copies, {wrong} of them not whole' +
          '; `store build` makes those anew that are removed' * bool(wrong))
    return int(wrong > 0)


def _info(args: argparse.Namespace) -> int:
    info = store_info(args.store)
    room = ', '.join(f'{side} ({size / 2**30:.3g} GiB)'
                     for side, size in zip(info['sides'], info['bytes']))
    print(f'{args.store}: {info["videos"]} videos of {info["frames"]} '
          f'frames with short sides of {room} pixels, '
          f'{sum(info["bytes"]) / 2**30:.3g} GiB; quality '
          f'{info["quality"]}, every {info["frame_stride"]}. frame; '
          f'{info["failed"]} videos could not be copied')
    if info['logged'] or not info['finished']:
        print(f'{info["logged"]} videos are copied and not in the '
              'index: run `store build` again' +
              ('; until then the store cannot be used' *
               (not info['finished'])))
    return 0
