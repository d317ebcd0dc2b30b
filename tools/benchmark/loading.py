"""How much faster multigrid is with clips that have to be loaded.

    python tools/benchmark/loading.py CONFIG --store GRID_STORE [--list FILE --root VIDEOS] [--epochs 12] [--workers 1]
                                      [--network [fp32|bfloat16]]

Trains the config's base, then multigrid over the original files, then multigrid over the grid store, one after the other,
and prints wall-clock as ratios; where the store holds the full size, base and multigrid over that alone, too. Loading is
the limit, with one clip a base batch and everything else made small; with --network the config's own network and batch
are trained, weights from scratch.
"""

import argparse
import copy
import logging
import tempfile
import time
from typing import Optional

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table
from torch import nn

from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.profiling import without_weights


@MODELS.register_module()
class TinyBackbone(nn.Module):
    """Blocks of 8 x 8 pixels, averaged, and one convolution of them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AvgPool3d((1, 8, 8), ceil_mode=True), nn.Conv3d(3, 8, 1), nn.BatchNorm3d(8), nn.ReLU())

    def init_weights(self) -> None:
        """Nothing to initialise."""

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Features of clips of shape (N, 3, T, H, W)."""
        return self.layers(clips)


def small(cfg: Config, epochs: int, workers: int, network: Optional[str], work_dir: str) -> Config:
    """The config with nothing else to do than to train, a tiny network on one clip a base batch unless told otherwise."""
    cfg = copy.deepcopy(cfg)
    if network:
        cfg.model = without_weights(cfg.model)
        cfg.optim_wrapper.type = dict(fp32='OptimWrapper', bfloat16='BFloat16OptimWrapper')[network]
    else:
        cfg.model = dict(
            type='Recognizer3D', backbone=dict(type='TinyBackbone'), data_preprocessor=cfg.model.data_preprocessor,
            cls_head=dict(type='I3DHead', num_classes=cfg.model.cls_head.num_classes, in_channels=8,
                          average_clips='prob'))
        cfg.train_dataloader.batch_size = 1
    cfg.train_dataloader.update(num_workers=workers, persistent_workers=True)
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=epochs)
    cfg.param_scheduler = [dict(type='MultiStepLR', milestones=[epochs * 2 // 5, epochs * 4 // 5], end=epochs)]
    for key in ('val_cfg', 'val_dataloader', 'val_evaluator', 'test_cfg', 'test_dataloader', 'test_evaluator'):
        cfg[key] = None
    cfg.default_hooks = dict(logger=dict(type='LoggerHook', interval=10**6), checkpoint=None)
    cfg.update(work_dir=work_dir, log_level='ERROR', load_from=None, auto_scale_lr=None, default_scope='mmaction')
    cfg.multigrid.precise_bn = 0
    return cfg


def train(cfg: Config, name: str) -> tuple:
    """Seconds and iterations of a training."""
    cfg.experiment_name = name.replace(' ', '_')
    runner = Runner.from_cfg(cfg)
    begin = time.perf_counter()
    runner.train()
    return time.perf_counter() - begin, runner.iter


def train_unless_missing(cfg: Config, name: str) -> Optional[tuple]:
    """Train a run; None where it needs full copies and the store was built without them."""
    try:
        return train(cfg, name)
    except ValueError as error:
        if '--full' not in str(error):
            raise
        print(error)
        return None


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='path of a multigrid config')
    parser.add_argument('--store', required=True, help='folder of a grid store of the videos')
    parser.add_argument('--list', help="annotation file; default: the config's")
    parser.add_argument('--root', help="folder of the videos; default: the config's")
    parser.add_argument('--epochs', type=int, default=12, help='epochs of base training; default: 12')
    parser.add_argument('--workers', type=int, default=1, help='of the loader; default: 1')
    parser.add_argument('--network', nargs='?', choices=['fp32', 'bfloat16'], const='fp32',
                        help="train the config's own network and batch, in fp32 unless told otherwise")
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    cfg = Config.fromfile(args.config)
    if args.list:
        cfg.train_dataloader.dataset.ann_file = args.list
    if args.root:
        cfg.train_dataloader.dataset.data_prefix = dict(video=args.root)
    network = f"the config's network in {args.network}" if args.network else 'a network that takes next to no time'
    table = Table(title=f'loading workers: {args.workers}; {network}')
    for column in ('run', 'wall-clock', 'iterations', 'times as fast'):
        table.add_column(column, justify='right')
    with tempfile.TemporaryDirectory() as work_dir:
        cfg = small(cfg, args.epochs, args.workers, args.network, work_dir)
        base = Config({key: value for key, value in cfg.items() if key not in ('multigrid', 'runner_type')})
        runs = {'baseline': base, 'multigrid, original files': apply_multigrid(cfg)}
        cfg.multigrid.grid_store = args.store
        runs['multigrid, grid store'] = apply_multigrid(cfg)
        cfg.multigrid.grid_store_full = True
        runs['multigrid, grid store for full clips too'] = apply_multigrid(cfg)
        cfg.multigrid = dict(stages=[dict(epochs=args.epochs)], grid_store=args.store, grid_store_full=True)
        runs['baseline, grid store'] = apply_multigrid(cfg)
        found = {name: result for name, run in runs.items() if (result := train_unless_missing(run, name))}
    for name, (seconds, iterations) in found.items():
        table.add_row(name, f'{seconds:.1f} s', str(iterations), f'{found["baseline"][0] / seconds:.2f}')
    Console(width=100).print(table)


if __name__ == '__main__':
    main()
