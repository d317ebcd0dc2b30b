"""Print stages, batches and lr of a multigrid config, without its dataset."""

import argparse
import json

from ..config.describe import describe
from .common import add_config, load_config, load_schedule, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config(parser)
    parser.add_argument(
        '--format',
        choices=['table', 'json'],
        default='table',
        help='default: table')


def run(args: argparse.Namespace) -> None:
    """Print the schedule."""
    cfg = load_config(args)
    schedule, frame_interval, clips = load_schedule(cfg, args)
    batch_size = cfg.train_dataloader.batch_size
    info = describe(schedule, batch_size, frame_interval, clips
                    and max(1, clips // args.processes))
    if args.format == 'json':
        print(json.dumps(info))
    else:
        print_stages(info, batch_size)


def print_stages(info: dict, batch_size: int) -> None:
    """Print one row per stage, and the iterations of the schedule."""
    print(f'{info["max_epochs"]} epochs, {100 * info["relative_cost"]:.0f} % '
          "of base training's computing\n"
          f'batches per GPU: clips x {info["time_axis"]} x crop')
    times = {
        frames
        for stage in info['stages'] for _, frames, _ in stage['shapes']
    }
    if len(times) == 1:
        print(f'all clips have {times.pop()} {info["time_axis"]}: only crops '
              'change')
    rows = []
    for stage in info['stages']:
        # Printed as in mmengine's log, which counts epochs from 1.
        begin, end = stage['begin'], stage['end']
        lrs = [
            f'{factor:.4g}' for epoch, factor in info['lr_factors']
            if begin <= epoch < end
        ]
        rows.append((
            f'{begin + 1}-{end}',
            str(stage['lr_step']),
            ' '.join(f'{factor * batch_size}x{frames}x{crop}'
                     for factor, frames, crop in stage['shapes']),
            '-'.join(map(str, stage['frame_interval'] or '-')),
            str(stage['bn_splits']),
            # A linear fall has a factor for each epoch.
            ', '.join(lrs) if len(lrs) < 4 else f'{lrs[0]} to {lrs[-1]}'))
    print_table(('epochs', 'lr\nstep', 'batches', 'frame\ninterval',
                 'BN\nsplits', 'lr factor'), rows)
    if info['iterations']:
        print(f'{info["iterations"]} iterations; base training has '
              f'{info["base_iterations"]}')
    print('lr: optim_wrapper.optimizer.lr x lr factor; with another batch '
          'size or number of\nGPUs than the base config is for, change that '
          'lr in proportion, or train with\n--auto-scale-lr')
