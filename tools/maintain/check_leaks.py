"""Thousands of stage changes on a toy data set and model: memory, open files, threads and semaphores before and after.

    python tools/maintain/check_leaks.py [--stages 10000] [--crashes 0] [--workers 0 1 4] [--contexts fork spawn]

Two weeks of training are some dozens of stage changes; here every epoch is one, of two batches. Everything that a stage
change touches runs: batch sampler, transforms, data set, the loader's workers, norm layers. A first tenth fills caches;
what grows after it would be a leak. With ``--crashes N`` workers are ended by N files instead, as damaged videos do, and
started anew as often. Reads /proc, so Linux only. Prints a line per setting, memory in MiB,
and ends with 1 where anything but the memory grew, or the memory by more than 20 MiB.
"""

import argparse
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Dict, List

import numpy as np
import torch
from mmengine.dataset import DefaultSampler, pseudo_collate
from torch import nn
from torch.utils.data import DataLoader

from mmaction_multigrid.datasets import MultigridBatchSampler, MultigridDataset, MultigridTransform
from mmaction_multigrid.models import convert_sub_batch_norm, set_bn_splits
from mmaction_multigrid.schedule import Segment
from mmaction_multigrid.survival import BatchStream

SHAPES = ((4, 2, 8), (2, 4, 8), (1, 4, 16))
MAX_GROWTH = 20  # MiB
CROP = MultigridTransform.wrap(dict(type='RandomCrop', size=16))


class Clips:
    """Grey frames that are cropped as the grid says.

    Args:
        length (int): Clips. Defaults to 8.
        crashes (int): Every other one of the first ``2 * crashes`` ends the worker that loads it. Defaults to 0.
    """

    def __init__(self, length: int = 8, crashes: int = 0) -> None:
        self.length, self.crashes = length, crashes
        self.crop = MultigridTransform(CROP['transform'])

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        if index % 2 and index < 2 * self.crashes:
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # torch's handler would print
            os.kill(os.getpid(), signal.SIGSEGV)
        frames = [np.full((24, 32, 3), index % 256, dtype=np.uint8)] * 4
        results = self.crop(dict(imgs=frames, img_shape=(24, 32), modality='RGB'))
        return torch.from_numpy(np.stack(results['imgs'])).permute(3, 0, 1, 2).float()


def usage(pids: List[int]) -> Dict[str, int]:
    """Resident MiB, open files, threads and semaphores of some processes together."""
    total = dict(memory=0, files=0, threads=0, semaphores=0)
    for pid in pids:
        status = dict(line.split(':', 1) for line in Path(f'/proc/{pid}/status').read_text().splitlines())
        total['memory'] += int(status['VmRSS'].split()[0]) // 1024
        total['threads'] += int(status['Threads'])
        total['files'] += len(os.listdir(f'/proc/{pid}/fd'))
        total['semaphores'] += sum('/sem.' in line for line in Path(f'/proc/{pid}/maps').read_text().splitlines())
    return total


def run(stages: int, workers: int, context: str) -> List[Dict[str, int]]:
    """Usage after a tenth of the stage changes, and after all."""
    data = MultigridDataset(Clips(), (4, 16))
    data.survive_crashes(workers)
    sampler = MultigridBatchSampler(DefaultSampler(range(len(data))), 1,
                                    [dict(epochs=1, shapes=[SHAPES[i % 3]]) for i in range(stages)])
    loader = DataLoader(data, batch_sampler=sampler, num_workers=workers, persistent_workers=workers > 0,
                        collate_fn=pseudo_collate, multiprocessing_context=context if workers else None)
    model = nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4))
    layers = convert_sub_batch_norm(model)
    found = []
    with BatchStream(loader, lambda done: Segment(done.epoch + 1) if done.epoch + 1 < stages else None) as stream:
        for epoch in range(stages):
            sampler.set_epoch(epoch)
            data.set_epoch(0, epoch)
            set_bn_splits(layers, sampler.stage.shape.batch_factor)
            for clips in stream.batches(Segment(epoch)):
                model.zero_grad()
                model(torch.stack(clips)).square().mean().backward()
            if epoch + 1 in (stages // 10, stages):
                pids = [worker.pid for worker in loader._iterator._workers] if workers else []
                found.append(usage([os.getpid(), *pids]))
    return found


def survive(crashes: int, workers: int, context: str) -> None:
    """Load a data set in which so many files end the worker that opens them."""
    data = MultigridDataset(Clips(2 * crashes, crashes), (4, 16))
    data.survive_crashes(workers)
    data.set_epoch(0, 0)
    sampler = MultigridBatchSampler(range(len(data)), 1, [dict(epochs=1, shapes=[SHAPES[2]])])
    loader = DataLoader(data, batch_sampler=sampler, num_workers=workers, persistent_workers=True,
                        collate_fn=pseudo_collate, multiprocessing_context=context)
    with BatchStream(loader) as stream:
        for _ in stream.batches(Segment(0)):
            pass
    loader._iterator._shutdown_workers()


def run_crashes(crashes: int, workers: int, context: str) -> List[Dict[str, int]]:
    """Usage of the main process after a tenth of the crashes, and after all; no batch is on its way then."""
    found = []
    for _ in range(10):
        survive(crashes // 10, workers, context)
        gc.collect()
        found.append(usage([os.getpid()]))
    return [found[0], found[-1]]


def main() -> int:
    """Check all settings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--stages', type=int, default=10000, help='stage changes; default: 10000')
    parser.add_argument('--crashes', type=int, default=0, help='new starts of the workers instead, in tens')
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 4], help='default: 0 1 4')
    parser.add_argument('--contexts', nargs='+', default=['fork', 'spawn'], help='default: fork spawn')
    args = parser.parse_args()
    torch.set_num_threads(1)
    measure, number, what = run, args.stages, 'stage changes'
    if args.crashes:
        measure, number, what = run_crashes, args.crashes, 'crashes'
        args.workers = [count for count in args.workers if count]
    # Torch's test of the limit of open files leaves one open where a worker's death interrupts it: some of 100 do.
    allowed = dict(memory=MAX_GROWTH, files=args.crashes // 20, threads=0, semaphores=0)
    leaks = 0
    for workers, context in ((count, name) for count in args.workers for name in (args.contexts if count else ['-'])):
        before, after = measure(number, workers, context)
        print(f'{number} {what}, {workers} workers ({context}): ' + ', '.join(
            f'{key} {before[key]} -> {after[key]}' for key in allowed), flush=True)
        leaks += any(after[key] - before[key] > allowed[key] for key in allowed)
    print(f'{leaks} settings leak')
    return 1 if leaks else 0


if __name__ == '__main__':
    sys.exit(main())
