"""Compare what multigrid itself costs with what it replaces.

    python tools/benchmark/overheads.py [--repeats 20]

Sub-batch norm beside BatchNorm3d, in turn, the work of batch sampler, hook and
lr in an iteration, and the time to resolve a config, as medians and quartiles.
"""

import argparse
import logging
import statistics
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, List

import torch
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.cli.common import print_table
from mmaction_multigrid.core.batch_norm import (convert_sub_batch_norm,
                                                set_bn_splits)
from mmaction_multigrid.core.batch_sampler import MultigridBatchSampler
from mmaction_multigrid.core.hook import MultigridHook
from mmaction_multigrid.core.lr import MultigridLR
from mmengine.config import Config
from mmengine.logging import MessageHub
from torch import nn

CONFIG = Path(__file__).parents[2] / 'configs/recognition/slowfast' / (
    'slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py')


def seconds(function: Callable) -> float:
    """Measure one call."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def norm_ratios(splits: int, repeats: int) -> List[float]:
    """Compare forward and backward of a layer amid a network."""
    clips = torch.randn(64, 64, 4, 28, 28, requires_grad=True)
    stock, ours = nn.BatchNorm3d(64), nn.BatchNorm3d(64)
    set_bn_splits(convert_sub_batch_norm(ours), splits)
    times = [[
        seconds(lambda layer=layer: layer(clips).sum().backward())
        for layer in (ours, stock)
    ] for _ in range(repeats + 1)]
    return [first / second for first, second in times[1:]]


def iterate(stages: list, points: list) -> None:
    """Run sampler, hook and lr for an epoch of a thousand iterations."""
    # Three batches of the first stage have 256 clips.
    hook, sampler = MultigridHook(), MultigridBatchSampler(
        range(85376), 8, stages)
    scheduler = MultigridLR(torch.optim.SGD([torch.zeros(1)], lr=0.1), points)
    scheduler.follow(
        SimpleNamespace(epoch_at=lambda iteration: iteration / 1e4, iter=0))
    runner = SimpleNamespace(
        train_loop=SimpleNamespace(batch_sampler=sampler),
        message_hub=MessageHub.get_instance('benchmark'),
        seed=0,
        epoch=0)
    for batch_idx, _ in enumerate(sampler):
        hook.before_train_iter(runner, batch_idx)
        scheduler.step()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--repeats',
        type=int,
        default=20,
        help='of each measurement; default: 20')
    repeats = parser.parse_args().repeats
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    cfg = Config.fromfile(CONFIG)
    resolved = apply_multigrid(cfg)
    stages = resolved.train_dataloader.batch_sampler.stages
    points = resolved.param_scheduler[0].points
    found = {
        f'sub-batch norm, {splits} '
        'splits, over BatchNorm3d': norm_ratios(splits, repeats)
        for splits in (1, 2, 4, 8, 16)
    }
    found['batch sampler, hook and lr, ms an iteration'] = [
        seconds(lambda: iterate(stages, points)) for _ in range(repeats)
    ]
    found['apply_multigrid on the Kinetics-400 config, s'] = [
        seconds(lambda: apply_multigrid(cfg)) for _ in range(repeats)
    ]
    print('what multigrid itself costs: median (quartiles)')
    print_table(('what', 'figure'),
                [(what, '{1:.3f} ({0:.3f} to {2:.3f})'.format(
                    *statistics.quantiles(values, n=4)))
                 for what, values in found.items()])


if __name__ == '__main__':
    main()
