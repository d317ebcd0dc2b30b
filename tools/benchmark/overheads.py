"""What multigrid itself costs, beside what it replaces, in one run.

    python tools/benchmark/overheads.py [--repeats 20]

Sub-batch norm against BatchNorm3d, the work per iteration of batch sampler,
hook and lr, the batch sampler on a hundred million clips, and the time to
resolve a config. Alternates what it compares, and prints medians and
quartiles.
"""

import argparse
import logging
import statistics
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, List

import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from rich.console import Console
from rich.table import Table
from torch import nn

from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.batch_sampler import MultigridBatchSampler
from mmaction_multigrid.core.hook import MultigridHook
from mmaction_multigrid.core.lr import MultigridLR
from mmaction_multigrid.core.batch_norm import convert_sub_batch_norm, set_bn_splits

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/recognition/slowfast/slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py'


def seconds(function: Callable) -> float:
    """Time of one call."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def ratios(ours: Callable, theirs: Callable, repeats: int) -> List[float]:
    """Our time over theirs, each pair one right after the other."""
    ours(), theirs()
    return [seconds(ours) / seconds(theirs) for _ in range(repeats)]


def spread(values: List[float], form: str = '{:.3f}') -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f'{form.format(middle)} ({form.format(low)} to {form.format(high)})'


def batch_norm_rows(repeats: int) -> list:
    """Forward and backward of a layer in the middle of a network, per number of splits."""
    clips = torch.randn(64, 64, 4, 28, 28, requires_grad=True)
    stock, ours = nn.BatchNorm3d(64), nn.BatchNorm3d(64)
    layers = convert_sub_batch_norm(ours)
    rows = []
    for splits in (1, 2, 4, 8, 16):
        set_bn_splits(layers, splits)
        found = ratios(lambda: ours(clips).sum().backward(), lambda: stock(clips).sum().backward(), repeats)
        rows.append((f'sub-batch norm, {splits} splits, over BatchNorm3d', spread(found)))
    return rows


def iteration_rows(stages: list, points: list, repeats: int) -> list:
    """Batch sampler, hook and lr, for a thousand iterations of a long epoch."""
    hook, times = MultigridHook(), []
    for _ in range(repeats):
        sampler = MultigridBatchSampler(range(240000), 8, stages)
        scheduler = MultigridLR(torch.optim.SGD([torch.zeros(1)], lr=0.1), points)
        scheduler.follow(lambda iteration: iteration / 1e4, 0)
        loop = SimpleNamespace(dataloader=SimpleNamespace(batch_sampler=sampler))
        runner = SimpleNamespace(train_loop=loop, message_hub=MessageHub.get_instance('benchmark'), seed=0, epoch=0)
        begin = time.perf_counter()
        for batch_idx, _ in zip(range(1000), sampler):
            hook.before_train_iter(runner, batch_idx)
            scheduler.step()
        times.append(time.perf_counter() - begin)
    return [('batch sampler, hook and lr, ms an iteration', spread(times))]  # s for a thousand


def memory_row(stages: list) -> tuple:
    """Memory of the batch sampler, beyond the sampler that it wraps, on 10^8 clips, while it yields."""
    clips = range(10**8)
    tracemalloc.start()
    sampler = MultigridBatchSampler(clips, 8, stages)
    iterator = iter(sampler)
    for _ in range(100):
        next(iterator)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return 'batch sampler on 10^8 clips, KiB', f'{peak / 1024:.0f}'


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--repeats', type=int, default=20, help='of each measurement; default: 20')
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    cfg = Config.fromfile(CONFIG)
    resolved = apply_multigrid(cfg)
    stages, points = resolved.train_dataloader.batch_sampler.stages, resolved.param_scheduler[0].points
    rows = batch_norm_rows(args.repeats) + iteration_rows(stages, points, args.repeats) + [memory_row(stages)]
    times = [seconds(lambda: apply_multigrid(cfg)) for _ in range(args.repeats)]
    rows.append(('apply_multigrid on the Kinetics-400 config, s', spread(times)))
    table = Table(title='what multigrid itself costs: median (quartiles)')
    table.add_column('what')
    table.add_column('figure', justify='right')
    for row in rows:
        table.add_row(*row)
    Console(width=130).print(table)


if __name__ == '__main__':
    main()
