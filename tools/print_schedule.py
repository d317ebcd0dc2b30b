"""Print the schedule of a multigrid config; no data set and no GPU is needed.

    python tools/print_schedule.py CONFIG [--format table|json] [--png OUT.png] [--cfg-options KEY=VALUE ...]
"""

import argparse
import json
import sys
from contextlib import redirect_stdout

from mmengine.config import Config, DictAction
from rich.console import Console
from rich.table import Table

from mmaction_multigrid import MultigridSchedule, multigrid_schedule


def shape_text(shape: list, batch_size: int) -> str:
    """A shape as clips x frames x crop."""
    factor, frames, crop = shape
    return f'{factor * batch_size} x {frames} x {crop}'


def print_table(info: dict, batch_size: int) -> None:
    """Print the stages, one a row."""
    table = Table(title=f'{info["max_epochs"]} epochs, {info["predicted_speedup"]:.2f}x fewer iterations than the base')
    for column in ('epochs', 'lr step', 'batches per GPU, clips x frames x crop', 'frame interval', 'BN splits',
                   'lr factor'):
        table.add_column(column, justify='left' if 'batches' in column else 'right')
    for stage in info['stages']:
        interval = '-' if stage['frame_interval'] is None else '{}-{}'.format(*stage['frame_interval'])
        # The last point before the stage is in force at its start, unless one is on it.
        factors = [f for epoch, f in info['lr_factors'] if epoch <= stage['begin']][-1:]
        factors += [f for epoch, f in info['lr_factors'] if stage['begin'] < epoch < stage['end']]
        table.add_row(f'{stage["begin"] + 1}-{stage["end"]}', str(stage['lr_step']),
                      ',  '.join(shape_text(shape, batch_size) for shape in stage['shapes']), interval,
                      str(stage['bn_splits']), ', then '.join(f'{factor:.4g}' for factor in factors))
    Console(width=140).print(table)


def draw(schedule: MultigridSchedule, batch_size: int, path: str) -> None:
    """Draw clip shape, batch and lr over iterations, counted in those of a base epoch."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(4, 1, figsize=(9, 9), sharex=True)
    edges, rates = [0.], []
    for stage in schedule.stages:
        for epoch in range(stage.begin, stage.end):
            rates.append((edges[-1], schedule.lr(epoch)))
            edges.append(edges[-1] + 1 / stage.average_batch_factor)
    for stage in schedule.stages:
        span = edges[stage.begin], edges[stage.end]
        for shape, own in [(shape, False) for shape in stage.shapes[:-1]] + [(stage.shape, True)]:
            values = shape.num_frames, shape.crop_size, shape.batch_factor * batch_size
            for axis, value in zip(axes, values):
                axis.hlines(value, *span, color='C0' if own else 'C1', lw=3 if own else 1.5)
    axes[3].step([x for x, _ in rates], [y for _, y in rates], where='post', color='C0')
    axes[3].set_yscale('log')
    for axis, label in zip(axes, ('frames', 'crop (pixels)', 'clips per GPU', 'lr / base lr')):
        axis.set_ylabel(label)
        axis.grid(alpha=.3)
    axes[2].set_yscale('log', base=2)
    axes[0].set_title(f'{schedule.max_epochs} epochs, {schedule.predicted_speedup:.2f}x fewer iterations than the '
                      f"base's {schedule.base.max_epochs}; blue: the stage's own shape, orange: its short cycle",
                      fontsize=10)
    axes[3].set_xlabel('iterations, in those of one base epoch')
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Print, and draw if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='path of a multigrid config')
    parser.add_argument('--format', choices=['table', 'json'], default='table', help='default: table')
    parser.add_argument('--png', help='draw clip shape, batch and lr over iterations to this file')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='config settings to override: key=value')
    args = parser.parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if 'multigrid' not in cfg:
        parser.error(f'{args.config} has no multigrid key: it is a plain or a resolved config')
    with redirect_stdout(sys.stderr):  # where its warnings belong
        schedule, frame_interval = multigrid_schedule(cfg)
    batch_size = cfg.train_dataloader.batch_size
    info = schedule.to_dict(batch_size, frame_interval)
    if args.format == 'json':
        print(json.dumps(info))
    else:
        print_table(info, batch_size)
    if args.png:
        draw(schedule, batch_size, args.png)


if __name__ == '__main__':
    main()
