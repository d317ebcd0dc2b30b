"""What multigrid itself costs, beside what it replaces, in one run.

    python tools/benchmark/overheads.py [--repeats 20]

Sub-batch norm against BatchNorm3d, the work per iteration of batch sampler, hook and lr, a change of stage against an
ordinary epoch change, the first coarse batch of an epoch, that of a stage, clips on their way from a worker,
the batch sampler on a hundred million clips, and the time to resolve a config
and to print a schedule. Alternates what it compares, and prints medians and quartiles.
"""

import argparse
import logging
import statistics
import subprocess
import sys
import time
import tracemalloc
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, Iterable, List, Tuple

import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import DefaultSampler, pseudo_collate
from mmengine.logging import MessageHub
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.datasets import MultigridBatchSampler, MultigridDataset, current_grid
from mmaction_multigrid.engine import MultigridHook, MultigridLR
from mmaction_multigrid.models import convert_sub_batch_norm, set_bn_splits
from mmaction_multigrid.schedule import Segment
from mmaction_multigrid.survival import BatchStream
from mmaction_multigrid.survival.sending import Together

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/recognition/slowfast/slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py'
PRINT_SCHEDULE = ROOT / 'tools/print_schedule.py'


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


def first_batch(batches: Iterable) -> float:
    """Time to the first batch of an epoch; the others are fetched, too."""
    begin = time.perf_counter()
    iterator = iter(batches)
    next(iterator)
    taken = time.perf_counter() - begin
    for _ in iterator:
        pass
    return taken


class Blank(Dataset):
    """Clips without content, of the open grid, so that a batch of any shape costs the same to load."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> torch.Tensor:
        grid = current_grid()
        return torch.zeros(3, grid.num_frames, grid.crop_size, grid.crop_size)


def change_rows(stages: list, repeats: int) -> list:
    """From the last batch of an epoch to the first of the next: base training, a new stage, and new workers."""
    dataset, base = MultigridDataset(Blank(), (32, 224)), stages[-1]['shapes'][-1]
    plain = [dict(epochs=1, shapes=[base])] * 2
    coarse_to_fine = [dict(epochs=1, shapes=stage['shapes'][-1:]) for stage in stages[:4]]

    def make(stages: list) -> DataLoader:
        return DataLoader(dataset, batch_sampler=MultigridBatchSampler(range(64), 2, stages), num_workers=1,
                          persistent_workers=True)

    def change(loader: DataLoader, epoch: int) -> float:
        """Finish an epoch; the time to the first batch of the next."""
        loader.batch_sampler.set_epoch(epoch)
        for _ in loader:
            pass
        loader.batch_sampler.set_epoch(epoch + 1)
        return first_batch(loader)

    def rebuild(loader: DataLoader) -> float:
        begin = time.perf_counter()
        del loader
        next(iter(make(plain)))
        return time.perf_counter() - begin

    ordinary, multigrid = make(plain), make(coarse_to_fine)
    found: dict = dict(stage=[], rebuilt=[])
    for repeat in range(repeats):
        usual = change(ordinary, 0)
        found['stage'].append(change(multigrid, repeat % 3) / usual)
        found['rebuilt'].append(rebuild(make(plain)) / usual)
    return [('change to another stage, over an ordinary epoch change', spread(found['stage'])),
            ('new loader and workers, over an ordinary epoch change', spread(found['rebuilt'], '{:.1f}'))]


class Waiting(Blank):
    """Clips that take 5 ms to load, without a core, so that eight workers are eight on any machine."""

    def __len__(self) -> int:
        return 256

    def __getitem__(self, index: int) -> torch.Tensor:
        time.sleep(0.005)
        return torch.zeros(1)


def first_batch_row(repeats: int) -> tuple:
    """Time to the first coarse batch of an epoch: loaded in pieces by all workers, and by one."""
    sampler = MultigridBatchSampler(range(256), 8, [dict(epochs=1, shapes=[(16, 8, 112)])])
    loader = DataLoader(MultigridDataset(Waiting(), (32, 224)), batch_sampler=sampler, num_workers=8,
                        persistent_workers=True, collate_fn=pseudo_collate)

    first_batch(loader)  # starts the workers
    with BatchStream(loader) as stream:
        found = [first_batch(stream.batches(Segment(0))) / first_batch(loader) for _ in range(repeats)]
    return 'first batch of an epoch, 128 clips, in pieces by 8 workers, over whole by one', spread(found)


def seam_rows(repeats: int) -> list:
    """The wait for the first batch of a stage, over the median wait in it, where loading keeps up with training.

    Two workers; validation, a checkpoint and precise BN, which give them more time yet, are left out.
    """
    stages = [dict(epochs=1, shapes=[(4, 8, 112)]), dict(epochs=1, shapes=[(2, 16, 112)])] * repeats

    def waits(following: Callable) -> List[float]:
        sampler = MultigridBatchSampler(DefaultSampler(range(256)), 2, stages)
        data = MultigridDataset(Waiting(), (32, 224))
        data.survive_crashes(2)
        loader = DataLoader(data, batch_sampler=sampler, num_workers=2, persistent_workers=True,
                            collate_fn=pseudo_collate)
        found = []
        with BatchStream(loader, following) as stream:
            for epoch, stage in enumerate(stages):
                sampler.set_epoch(epoch)
                times, begin = [], time.perf_counter()
                for _ in stream.batches(Segment(epoch)):
                    times.append(time.perf_counter() - begin)
                    time.sleep(1.5 * 0.005 * 2 * stage['shapes'][0][0] / 2)  # half as long again as loading takes
                    begin = time.perf_counter()
                if epoch:
                    found.append(times[0] / statistics.median(times[1:]))
        return found

    last = len(stages) - 1
    one = waits(lambda segment: Segment(segment.epoch + 1) if segment.epoch < last else None)
    return [('first batch of a stage, over the median wait for one, one stream', spread(one, '{:.1f}')),
            ('the same, each epoch by itself', spread(waits(lambda segment: None), '{:.1f}'))]


class Packed(Blank):
    """Clips as a pipeline packs them, which take next to no time to load."""

    def __len__(self) -> int:
        return 512

    def __getitem__(self, index: int) -> dict:
        sample = ActionDataSample(metainfo=dict(img_shape=(1, 1)))
        frames = super().__getitem__(index).byte().movedim(0, -1).contiguous()  # colours last, as frames are decoded
        return dict(inputs=frames.movedim(-1, 0)[None], data_samples=sample.set_gt_label(index))


def sending_rows(repeats: int) -> list:
    """Time of clips that are no work to load through a loader of one worker: sent together, over one by one."""
    def epoch(shape: Tuple[int, int], clips: int, collate: Callable) -> Callable:
        stages = [dict(epochs=1, shapes=[(1, *shape)])]
        data = MultigridDataset(Packed(), (32, 224))
        loader = DataLoader(data, batch_sampler=MultigridBatchSampler(range(512), clips, stages), num_workers=1,
                            persistent_workers=True, collate_fn=collate)
        return lambda: [torch.stack(batch['inputs']) for batch in loader]

    rows = []
    for shape, clips in (((4, 28), 32), ((8, 112), 16), ((16, 112), 16)):
        found = ratios(*(epoch(shape, clips, collate) for collate in (Together(pseudo_collate), pseudo_collate)), repeats)
        rows.append((f'{clips} clips of {shape[0]} x {shape[1]} sent together, over one by one', spread(found)))
    return rows


def start_up_row(repeats: int) -> tuple:
    """Time of ``print_schedule.py``, beside importing what it stands on."""
    def call(*command: str) -> None:
        subprocess.run([sys.executable, '-W', 'ignore', *command], check=True, capture_output=True)

    printed, imported = (str(PRINT_SCHEDULE), str(CONFIG)), ('-c', 'import mmaction.datasets')
    found = ratios(lambda: call(*printed), lambda: call(*imported), repeats)
    return 'print_schedule.py, over importing mmaction.datasets', spread(found, '{:.2f}')


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
    warnings.filterwarnings('ignore', 'This DataLoader will create')  # more workers than cores
    torch.set_num_threads(1)
    cfg = Config.fromfile(CONFIG)
    resolved = apply_multigrid(cfg)
    stages, points = resolved.train_dataloader.batch_sampler.stages, resolved.param_scheduler[0].points
    rows = batch_norm_rows(args.repeats) + iteration_rows(stages, points, args.repeats) + [memory_row(stages)]
    times = [seconds(lambda: apply_multigrid(cfg)) for _ in range(args.repeats)]
    rows.append(('apply_multigrid on the Kinetics-400 config, s', spread(times)))
    rows += change_rows(stages, args.repeats) + [first_batch_row(args.repeats)]
    rows += seam_rows(args.repeats) + sending_rows(max(2, args.repeats // 2)) + [start_up_row(max(2, args.repeats // 4))]
    table = Table(title='what multigrid itself costs: median (quartiles)')
    table.add_column('what')
    table.add_column('figure', justify='right')
    for row in rows:
        table.add_row(*row)
    Console(width=130).print(table)


if __name__ == '__main__':
    main()
