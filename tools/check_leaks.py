"""Thousands of stage changes on a toy data set and model: memory, open files, threads and semaphores before and after.

    python tools/check_leaks.py [--stages 10000] [--workers 0 1 4] [--contexts fork spawn]

Two weeks of training are some dozens of stage changes; here every epoch is one, of two batches. Everything that a stage
change touches runs: batch sampler, transforms, data set, the loader's workers, norm layers. A first tenth fills caches;
what grows after it would be a leak. Reads /proc, so Linux only. Prints a line per setting, memory in MiB,
and ends with 1 where anything but the memory grew, or the memory by more than 20 MiB.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Dict, List

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from mmaction_multigrid.datasets import MultigridBatchSampler, MultigridDataset, MultigridTransform
from mmaction_multigrid.models import convert_sub_batch_norm, set_bn_splits

SHAPES = ((4, 2, 8), (2, 4, 8), (1, 4, 16))
MAX_GROWTH = 20  # MiB
CROP = MultigridTransform.wrap(dict(type='RandomCrop', size=16))


class Clips:
    """Frames of noise that are cropped as the grid says."""

    def __init__(self) -> None:
        self.crop = MultigridTransform(CROP['transform'])

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        frames = [np.full((24, 32, 3), index, dtype=np.uint8)] * 4
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
    sampler = MultigridBatchSampler(range(len(data)), 1, [dict(epochs=1, shapes=[SHAPES[i % 3]]) for i in range(stages)])
    loader = DataLoader(data, batch_sampler=sampler, num_workers=workers, persistent_workers=workers > 0,
                        multiprocessing_context=context if workers else None)
    model = nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4))
    layers = convert_sub_batch_norm(model)
    found = []
    for epoch in range(stages):
        sampler.epoch = epoch
        data.set_epoch(0, epoch)
        set_bn_splits(layers, sampler.stage.shape.batch_factor)
        for clips in loader:
            model.zero_grad()
            model(clips).square().mean().backward()
        if epoch + 1 in (stages // 10, stages):
            pids = [worker.pid for worker in loader._iterator._workers] if workers else []
            found.append(usage([os.getpid(), *pids]))
    return found


def main() -> int:
    """Check all settings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--stages', type=int, default=10000, help='stage changes; default: 10000')
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 4], help='default: 0 1 4')
    parser.add_argument('--contexts', nargs='+', default=['fork', 'spawn'], help='default: fork spawn')
    args = parser.parse_args()
    torch.set_num_threads(1)
    keys = ('memory', 'files', 'threads', 'semaphores')
    leaks = 0
    for workers in args.workers:
        for context in args.contexts if workers else ['-']:
            before, after = run(args.stages, workers, context)
            print(f'{args.stages} stage changes, {workers} workers ({context}): ' + ', '.join(
                f'{key} {before[key]} -> {after[key]}' for key in keys), flush=True)
            leaks += after['memory'] - before['memory'] > MAX_GROWTH or any(after[key] > before[key] for key in keys[1:])
    print(f'{leaks} settings leak')
    return 1 if leaks else 0


if __name__ == '__main__':
    sys.exit(main())
