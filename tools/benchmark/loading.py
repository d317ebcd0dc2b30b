"""Compare whole runs that loading limits.

    python tools/benchmark/loading.py CONFIG --store STORE
        [--epochs 12] [--workers 1]

Trains the config without multigrid from the original files and from the frame
store, one after the other, and prints wall-clock as ratios. A multigrid config
is trained from the original files, from the store, and with its full clips
from the store, too. The network is tiny and the base batch one clip.
"""

import argparse
import copy
import logging
import re
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
    """A convolution of every eighth pixel.

    Args:
        dims (int): 3 for clips, 2 for pictures.
    """

    def __init__(self, dims: int) -> None:
        conv, norm = (
            getattr(nn, f'{name}{dims}d') for name in ('Conv', 'BatchNorm'))
        super().__init__(conv(3, 8, 1), norm(8), nn.ReLU())

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Return features, of clips or pictures of any size."""
        return super().forward(clips[..., ::8, ::8] / 255)

    def init_weights(self) -> None:
        """Keep the weights."""


def shrink(cfg: Config, epochs: int, workers: int, work_dir: str) -> None:
    """Leave a config nothing to do but to load and to train a tiny network."""
    dims = 2 if cfg.model.type == 'Recognizer2D' else 3
    cfg.model = dict(
        type=cfg.model.type,
        backbone=dict(type='TinyBackbone', dims=dims),
        # Without mean and std, which take longer than this network on a CPU.
        data_preprocessor=dict(
            type='ActionDataPreprocessor',
            format_shape=cfg.model.data_preprocessor.format_shape),
        cls_head=dict(
            type='TSNHead' if dims == 2 else 'I3DHead',
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


def compare(cfg: Config, store: str) -> list:
    """Train all; names, seconds and iterations."""
    hook = dict(type='FrameStoreHook', store=store)
    runs = {'baseline': [], 'baseline, frame store': [hook]}
    if 'multigrid' in cfg:
        runs.update({
            'multigrid, original files': {},
            'multigrid, frame store':
            dict(grid_store=store),
            'multigrid, frame store for full clips too':
            dict(grid_store=store, grid_store_full=True)
        })
    rows = []
    for name, changes in runs.items():
        run, begin = copy.deepcopy(cfg), time.perf_counter()
        run.experiment_name = re.sub(r'\W+', '_', name)
        if isinstance(changes, dict):
            run.multigrid.update(changes, precise_bn=0, allow_untested=True)
            run = apply_multigrid(run)
        else:
            run.pop('multigrid', None)
            run.custom_hooks = changes
        try:
            runner = Runner.from_cfg(run)
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
    parser.add_argument(
        '--store', required=True, help='frame store of the videos')
    parser.add_argument(
        '--epochs',
        type=int,
        default=12,
        help='epochs of base training; default: 12')
    parser.add_argument(
        '--workers', type=int, default=1, help='of the loader; default: 1')
    args = parser.parse_args()
    torch.set_num_threads(1)
    cfg = load_config(args, plain=True)
    logging.disable(logging.WARNING)
    if 'multigrid' in cfg:
        cfg.multigrid.grid_store = None
    with tempfile.TemporaryDirectory() as work_dir:
        shrink(cfg, args.epochs, args.workers, work_dir)
        rows = compare(cfg, args.store)
    print(f'loading workers: {args.workers}')
    print_table(('run', 'wall-clock', 'iterations', 'times as fast'),
                [(name, f'{seconds:.1f} s', str(iterations),
                  f'{rows[0][1] / seconds:.2f}')
                 for name, seconds, iterations in rows])


if __name__ == '__main__':
    main()
