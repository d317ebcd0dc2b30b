"""Build and check a frame store: small copies of the videos."""

import argparse
import os
import random
import sys
from pathlib import Path
from typing import Tuple

from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

from ..frame_store.build import SAMPLE, build
from ..frame_store.estimate import measure_psnr
from ..frame_store.index import Index
from ..frame_store.logs import FAILED, check_short_edges
from ..frame_store.sizes import short_edges_of
from ..frame_store.sources import SPLITS, sources_of
from .common import above_zero, add_cfg_options, load_config

# The dataset without --config. mmengine fails to serialize an empty list.
VIDEOS = dict(
    type='VideoDataset',
    serialize_data=False,
    pipeline=[dict(type='DecordInit'),
              dict(type='DecordDecode')])
SEGMENTS = dict(type='VideoSegmentDataset')

EXAMPLES = """examples of `mmaction-multigrid store build`:
  STORE --config CONFIG                      train videos, at its clips' sizes
  STORE --config CONFIG --full               and for full clips of multigrid
  STORE --config CONFIG --splits train val   validation videos, too
  LIST STORE --config CONFIG --root VIDEOS   another list, in the same store
  LIST STORE --sides 256 --segments          segments of long videos
  STORE --config CONFIG --part 1/8           a part of eight, in any order"""


def read_part(text: str) -> Tuple[int, int]:
    """Parse I/N."""
    part, _, parts = text.partition('/')
    if not (part.isdecimal() and parts.isdecimal()
            and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f'{text}: must be I/N, as 1/8 to 8/8')
    return int(part), int(parts)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add both commands and their arguments."""
    commands = parser.add_subparsers(metavar='build|check', required=True)
    text = ('write the copies that are missing, also after an interruption '
            '(exit status 1 if a video could not be copied)')
    builder = commands.add_parser(
        'build',
        help=text,
        usage='mmaction-multigrid store build [LIST] STORE [options]',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    builder.set_defaults(action=_build)
    add_build(builder)
    text = ('compare every copy with its checksum '
            '(exit status 1 if one is damaged)')
    checker = commands.add_parser('check', help=text)
    checker.set_defaults(action=_check)
    checker.add_argument(
        'store', metavar='STORE', type=Path, help='folder of the store')
    add_source(checker, 'config, to tell the PSNR of some of its copies')


def add_source(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the arguments that select originals."""
    parser.add_argument('--config', help=text)
    add_cfg_options(parser)
    parser.add_argument(
        '--splits',
        nargs='+',
        choices=SPLITS,
        default=SPLITS[:1],
        metavar='SPLIT',
        help='of train, val and test; default: train')


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
        metavar='VIDEOS',
        help="folder of the videos, data_prefix; default: the config's")
    add_source(builder, 'config, which sets videos, reader and sizes')
    add('--segments',
        action='store_true',
        help='LIST is one of VideoSegmentDataset, without --config')
    sizes = builder.add_mutually_exclusive_group()
    sizes.add_argument(
        '--sides',
        type=int,
        nargs='+',
        metavar='PIXELS',
        help="short edges in pixels; default: the config's")
    sizes.add_argument(
        '--full', action='store_true', help='add the size of full clips')
    add('--processes',
        type=above_zero,
        metavar='N',
        help='number of processes; default: one for each CPU')
    add('--part',
        default=(1, 1),
        type=read_part,
        metavar='I/N',
        help='copy the I-th of N parts only, for job arrays')


def run(args: argparse.Namespace) -> int:
    """Run one of both commands."""
    return args.action(args)


def _build(args: argparse.Namespace) -> int:
    if args.config:
        cfg = load_config(args, plain=True)
    elif args.sides and args.list:
        dataset = dict(VIDEOS, **SEGMENTS if args.segments else {})
        cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
    else:
        raise ValueError('--config is missing, which sets videos and sizes; '
                         'give it, or LIST and --sides')
    init_default_scope(cfg.get('default_scope') or 'mmaction')
    # Before the list is read: a wrong size is found at once.
    short_edges = check_short_edges(
        args.sides or short_edges_of(cfg, args.full, args.splits))
    sources = sources_of(cfg, args.list, args.root, args.splits)
    result = build(sources, args.store, short_edges, args.processes
                   or os.cpu_count() or 1, args.part)
    failed = result['failed']
    if failed and not result['videos']:
        raise ValueError(f'{args.store}: none of these {len(sources)} videos '
                         'could be copied. The first: '
                         f'{min(failed.values())}')
    print(f'{args.store}: {result["videos"]} of these '
          f'{len(sources)} videos with short sides of '
          f'{", ".join(map(str, short_edges))} pixels')
    if failed:
        print(f'{len(failed)} videos could not be copied, and are read from '
              f'their originals; {args.store / FAILED} lists them after the '
              f'last part. The first: {min(failed.values())}')
    if not result['finished']:
        print('part {}/{} is done; the store '
              'can be used when all parts are'.format(*args.part))
    return int(bool(failed))


def _check(args: argparse.Namespace) -> int:
    index = Index(args.store)
    copies, wrong = index.videos['copies'].size, 0
    for error in track(
            index.check(), 'copies', copies, disable=not sys.stdout.isatty()):
        if error:
            print(error)
            wrong += 1
    if args.config and not wrong:
        cfg = load_config(args, plain=True)
        sources = sources_of(cfg, splits=args.splits)
        some = random.Random(0).sample(sources, min(SAMPLE, len(sources)))
        psnr = measure_psnr(index, some)
        for short_edge, values in zip(index.short_edges, psnr.T):
            print(f'{short_edge} pixels: a PSNR of {values.mean():.1f} dB, '
                  f'{values.min():.1f} dB at least, in {len(values)} videos'
                  if len(values) else
                  f'the store holds none of {len(some)} videos of the config')
    # A build compares sizes only: damaged copies of the right size stay.
    print(f'{len(index.videos)} videos, {copies} copies, {wrong} of them '
          'damaged' +
          '; remove these and run `store build` again' * bool(wrong))
    return int(wrong > 0)
