"""Print stages, batches and lr of a multigrid config; needs no dataset."""

import argparse
import json

from ..config.describe import describe
from ..profiling.drawing import draw_schedule
from .common import add_config, load_config, load_schedule, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_config(parser)
    parser.add_argument(
        '--format',
        choices=['table', 'json'],
        default='table',
        help='default: table')
    parser.add_argument(
        '--png',
        metavar='FILE',
        help='draw clip shape, batch and lr over iterations')


def run(args: argparse.Namespace) -> None:
    """Print the schedule, and draw it if asked to."""
    cfg = load_config(args)
    schedule, frame_interval, clips = load_schedule(cfg, args)
    batch_size = cfg.train_dataloader.batch_size
    info = describe(schedule, batch_size, frame_interval, clips
                    and max(1, clips // args.processes))
    if args.format == 'json':
        print(json.dumps(info))
    else:
        print_stages(info, batch_size, schedule.settings.max_batch_factor)
    if args.png:
        draw_schedule(schedule, batch_size, args.png)


def print_stages(info: dict, batch_size: int, cap: object) -> None:
    """Print one row per stage, and the iterations of the schedule."""
    gain = 'fewer iterations' if cap is None else 'less computing'
    print(f'{info["max_epochs"]} epochs, {info["predicted_speedup"]:.2f}x '
          f'{gain} than the base\nbatches per GPU: clips x frames x crop')
    rows = []
    for stage in info['stages']:
        begin, end = stage['begin'], stage['end']
        points = [point for point in info['lr_factors'] if point[0] < end]
        first = [epoch <= begin for epoch, _ in points].count(True) - 1
        rows.append(
            (f'{begin + 1}-{end}', str(stage['lr_step']),
             ' '.join(f'{factor * batch_size}x{frames}x{crop}'
                      for factor, frames, crop in stage['shapes']),
             '-'.join(map(str, stage['frame_interval']
                          or '-')), str(stage['bn_splits']),
             ', '.join(f'{factor:.4g}' for _, factor in points[first:])))
    print_table(('epochs', 'lr step', 'batches', 'frame interval', 'BN splits',
                 'lr factor'), rows)
    if info['updates']:
        print(f'{info["updates"]} iterations, base '
              f'training {info["base_updates"]}')
