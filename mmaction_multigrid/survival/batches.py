"""An epoch's batches, loaded by all data workers together, though a file should end the worker that opens it."""

import logging
from contextlib import nullcontext
from typing import Any, Iterator

import torch
from mmengine.logging import print_log
from torch.utils.data import DataLoader

from .pieces import join, max_pieces
from .worker_deaths import WorkerDeaths, leave_out_crashed

MAX_CRASHES = 100


def surviving_batches(dataloader: DataLoader) -> Iterator[Any]:
    """The batches of an epoch, in order, as from the loader itself.

    A coarse batch has up to sixteen times the clips of a base batch, and one worker would take as many times as long
    over it, while the first batches of every epoch are waited for: it is loaded in pieces, by all workers at once.

    Where a worker crashes while it has a clip open, the workers are started anew at the batch that comes next, and the
    data set is told to leave that clip's file out. Anything else that happens to a worker ends the epoch as before.

    Args:
        dataloader (DataLoader): Of a ``MultigridBatchSampler`` and, to survive, of a ``MultigridDataset``.

    Raises:
        RuntimeError: A worker ended and no clip is to blame, or a hundred crashed without a batch between.
    """
    if not dataloader.num_workers or not hasattr(dataloader.dataset, 'leave_out'):
        yield from dataloader
        return
    done = crashes = 0
    with WorkerDeaths() as deaths, dataloader.batch_sampler.in_pieces(max_pieces(dataloader)) as counts:
        while True:
            iterator = None
            try:
                # A loader draws a random number for its workers: a restart must not move the model's.
                kept = torch.random.fork_rng(devices=[]) if crashes else nullcontext()
                with dataloader.batch_sampler.starting_at(done), kept:
                    iterator = iter(dataloader)
                while (piece := deaths.next(iterator)) is not None:
                    batch = join([piece, *(deaths.next(iterator) for _ in range(counts[done] - 1))])
                    done, crashes = done + 1, 0
                    yield batch
                return
            except Exception:
                crashes += 1
                names = leave_out_crashed(dataloader, iterator)
                if not names or crashes >= MAX_CRASHES:
                    raise
            for name in names:
                print_log(f'{name}: ended the data worker that opened it and is left out from now on; workers are '
                          f'started anew at batch {done + 1} of the epoch', logger='current', level=logging.WARNING)
