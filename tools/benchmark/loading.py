"""Compare whole runs that loading limits.

    python tools/benchmark/loading.py CONFIG --store GRID_STORE
        [--epochs 12] [--workers 1]

Trains the config's base, then multigrid over the original files, then
multigrid over the grid store, one after the other, and prints wall-clock as
ratios; where the store holds the full size, base and multigrid over that
alone, too. The network is tiny and the base batch one clip.
"""

import argparse
import copy
import logging
import tempfile
import time

import torch
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.cli.common import add_config, load_config, print_table
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mmaction.registry import MODELS

EVALUATION = [
    f'{split}_{key}' for split in ('val', 'test')
    for key in ('cfg', 'dataloader', 'evaluator')
]


@MODELS.register_module()
class TinyBackbone(nn.Sequential):
    """Blocks of 8 x 8 pixels, averaged, and one convolution of them."""

    def __init__(self) -> None:
        super().__init__(
            nn.AvgPool3d((1, 8, 8), ceil_mode=True), nn.Conv3d(3, 8, 1),
            nn.BatchNorm3d(8), nn.ReLU())

    def init_weights(self) -> None:
        """Keep the weights."""


def shrink(cfg: Config, epochs: int, workers: int, work_dir: str) -> None:
    """Leave a config nothing to do but to load and to train a tiny network."""
    cfg.model = dict(
        type='Recognizer3D',
        backbone=dict(type='TinyBackbone'),
        data_preprocessor=cfg.model.data_preprocessor,
        cls_head=dict(
            type='I3DHead',
            in_channels=8,
            average_clips='prob',
            num_classes=cfg.model.cls_head.num_classes))
    cfg.train_dataloader.update(
        batch_size=1, num_workers=workers, persistent_workers=True)
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=epochs)
    cfg.param_scheduler = [
        dict(
            type='MultiStepLR',
            end=epochs,
            milestones=[epochs * 2 // 5, epochs * 4 // 5])
    ]
    cfg.update(dict.fromkeys(EVALUATION))
    cfg.default_hooks = dict(
        logger=dict(type='LoggerHook', interval=10**6), checkpoint=None)
    cfg.update(
        work_dir=work_dir,
        log_level='ERROR',
        load_from=None,
        auto_scale_lr=None,
        default_scope='mmaction')
    cfg.multigrid.update(precise_bn=0, allow_untested=True)


def compare(cfg: Config, store: str, epochs: int) -> list:
    """Train all; names, seconds and iterations."""
    rows, ours = [], dict(grid_store=store)
    full = dict(ours, grid_store_full=True)
    for name, changes in {
            'baseline': None,
            'multigrid, original files': {},
            'multigrid, grid store': ours,
            'multigrid, grid store for full clips too': full,
            'baseline, grid store': dict(full, stages=[dict(epochs=epochs)])
    }.items():
        run, begin = copy.deepcopy(cfg), time.perf_counter()
        run.experiment_name = name.replace(' ', '_')
        if changes is None:
            run.pop('multigrid')
        else:
            run.multigrid.update(changes)
        try:
            runner = Runner.from_cfg(apply_multigrid(run))
            runner.train()
        except ValueError as error:
            print(error)  # the store was built without --full
            continue
        rows.append((name, time.perf_counter() - begin, runner.iter))
    return rows


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config(parser, clips=False)
    parser.add_argument('--store', help='grid store of the videos')
    parser.add_argument(
        '--epochs',
        type=int,
        default=12,
        help='epochs of base training; default: 12')
    parser.add_argument(
        '--workers', type=int, default=1, help='of the loader; default: 1')
    args = parser.parse_args()
    torch.set_num_threads(1)
    cfg = load_config(args)
    logging.disable(logging.WARNING)
    store, cfg.multigrid.grid_store = args.store, None
    with tempfile.TemporaryDirectory() as work_dir:
        shrink(cfg, args.epochs, args.workers, work_dir)
        rows = compare(cfg, store, args.epochs)
    print(f'loading workers: {args.workers}')
    print_table(('run', 'wall-clock', 'iterations', 'times as fast'),
                [(name, f'{seconds:.1f} s', str(iterations),
                  f'{rows[0][1] / seconds:.2f}')
                 for name, seconds, iterations in rows])


if __name__ == '__main__':
    main()
