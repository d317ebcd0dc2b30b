"""Shows stages, batches and lr of a multigrid config; no data set and no GPU is needed."""

import argparse
import json

from ..profiling.drawing import draw_schedule
from .config_args import add_clips, add_config, load_config, load_schedule
from .output import print_table

EXAMPLE = 'schedule CONFIG --png schedule.png --cfg-options multigrid.epoch_factor=2'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_config(parser)
    add_clips(parser)
    parser.add_argument('--format', choices=['table', 'json'], default='table', help='default: table')
    parser.add_argument('--png', metavar='FILE',
                        help='draw clip shape, batch and lr over iterations')


def run(args: argparse.Namespace) -> None:
    """Print the schedule, and draw it if asked to."""
    cfg = load_config(args)
    schedule, frame_interval, _, share = load_schedule(cfg, args)
    batch_size = cfg.train_dataloader.batch_size
    info = schedule.to_dict(batch_size, frame_interval, share)
    if args.format == 'json':
        print(json.dumps(info))
    else:
        capped = schedule.settings.max_batch_factor is not None
        print_stages(info, batch_size, 'less computing' if capped else 'fewer iterations')
    if args.png:
        draw_schedule(schedule, batch_size, args.png)


def print_stages(info: dict, batch_size: int, gain: str) -> None:
    """Print the stages, one a row, and what they leave; ``gain`` is what there is less of."""
    rows = []
    for stage in info['stages']:
        interval = '-' if stage['frame_interval'] is None else '{}-{}'.format(*stage['frame_interval'])
        # The last point before the stage is in force at its start, unless one is on it.
        factors = [f for epoch, f in info['lr_factors'] if epoch <= stage['begin']][-1:]
        factors += [f for epoch, f in info['lr_factors'] if stage['begin'] < epoch < stage['end']]
        shapes = ' '.join(f'{factor * batch_size}x{frames}x{crop}'
                          for factor, frames, crop in stage['shapes'])
        rows.append((f'{stage["begin"] + 1}-{stage["end"]}', str(stage['lr_step']), shapes, interval,
                     str(stage['bn_splits']),
                     ', '.join(f'{factor:.4g}' for factor in factors)))
    print_table(('epochs', 'lr step', 'batches', 'frame interval', 'BN splits', 'lr factor'), rows, left=('batches', ),
                title=f'{info["max_epochs"]} epochs, {info["predicted_speedup"]:.2f}x {gain} than the base\n'
                'batches per GPU: clips x frames x crop')
    if info['updates']:
        print(f'{info["updates"]} updates, base training {info["base_updates"]}')
