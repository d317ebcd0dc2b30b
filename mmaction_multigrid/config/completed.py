"""Settings that a config leaves to be read from the rest of it."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Mapping, Optional

from mmaction.registry import DATASETS

from ..schedule import (
    AUTO,
    COST,
    BaseTraining,
    Settings,
    auto_settings,
    is_count,
    read_batch_factors,
    read_list,
    type_name,
)
from .sections import section

# Variables that tell a process of a launcher how many there are.
PROCESSES = dict(pytorch='WORLD_SIZE', slurm='SLURM_NTASKS', mpi='OMPI_COMM_WORLD_SIZE')
# Optimizers that divide the gradient by its own size, for which the square root is the rule (Malladi et al., arXiv
# 2205.10287); their betas stay as they are.
ADAPTIVE = ('adam', 'lamb', 'adafactor', 'rmsprop', 'lion', 'adagrad', 'adadelta')


def count_processes(cfg: Mapping) -> int:
    """Processes that train, by the launcher of a config; 1 where there is none."""
    number = os.environ.get(PROCESSES.get(cfg.get('launcher') or 'none', ''), '')
    return int(number) if number.isdigit() and int(number) else 1


def count_clips(dataloader: Mapping) -> Optional[int]:
    """Clips in a train data set: lines of its lists, or what it counts itself; None where it is not here."""
    dataset, times = dataloader['dataset'], 1
    while 'dataset' in dataset:
        times *= dataset.get('times', 1)
        dataset = dataset['dataset']
    parts = [_count_part(part) for part in dataset.get('datasets', [dataset])]
    return None if None in parts else sum(parts) * times


def _count_part(dataset: Mapping) -> Optional[int]:
    path = Path(dataset.get('data_root') or '', dataset.get('ann_file') or '')
    if path.suffix in ('.txt', '.csv') and 'indices' not in dataset:  # of one line a clip
        return len(read_list(path)) if path.is_file() else None
    try:
        return len(DATASETS.build(dict(dataset, pipeline=[])))
    except Exception:  # whatever a data set makes of a list that is not there
        return None


def lr_rule(optim_wrapper: Any) -> str:
    """How the lr follows the batch for an optimizer: ``'sqrt'`` for Adam and its kin, ``'linear'`` for all others."""
    name = type_name(section(optim_wrapper or {}, 'optimizer', 'optim_wrapper.').get('type', '')).lower()
    return 'sqrt' if any(kind in name for kind in ADAPTIVE) else 'linear'


def complete(settings: Settings, base: BaseTraining, cfg: Mapping, clips: Optional[int] = None,
             processes: Optional[int] = None) -> Settings:
    """The settings with numbers in place of what follows from the config.

    Args:
        settings: The checked ``multigrid`` key.
        base: The base config's training.
        cfg: The config.
        clips: Clips in the data set. None: those of its lists are counted.
        processes: Processes that train. None: :func:`count_processes`.

    Raises:
        ValueError: ``max_batch_factor`` is ``'auto'``, and nobody knows how many clips there are; or the file of
            ``batch_factors`` cannot be read.
    """
    if isinstance(settings.batch_factors, str) and settings.batch_factors != COST:
        settings = replace(settings, batch_factors=read_batch_factors(settings.batch_factors, base.shape))
    batch_size = section(cfg, 'train_dataloader').get('batch_size')
    if not is_count(batch_size):  # refused elsewhere
        return replace(settings, max_batch_factor=None)
    settings = replace(settings, lr_scaling=settings.lr_scaling or lr_rule(section(cfg, 'optim_wrapper')))
    if settings.max_batch_factor != AUTO:
        return settings
    clips = clips or count_clips(cfg['train_dataloader'])
    if not clips:
        raise ValueError("multigrid.max_batch_factor = 'auto': needs to know how many clips there are, and "
                         'train_dataloader.dataset has no list of one line a clip that is here; give an integer, or None')
    share = max(1, clips // (processes or count_processes(cfg)))
    return auto_settings(base, settings, batch_size, share)
