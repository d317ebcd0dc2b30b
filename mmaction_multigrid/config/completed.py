"""Settings that a config leaves to be read from the rest of it."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Mapping, Optional

from mmaction.registry import DATA_SAMPLERS, DATASETS
from mmengine.dist import get_world_size
from mmengine.registry import DefaultScope

from ..schedule import (
    AUTO,
    BaseTraining,
    Settings,
    auto_settings,
    is_count,
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
    """Clips of an epoch of training; None where their list is not here.

    Nothing is decoded.

    Args:
        dataloader: The ``train_dataloader`` of a config.

    Raises:
        ValueError: A list is not UTF-8.
    """
    try:
        return _count(dataloader)
    except UnicodeDecodeError:
        _check_encoding(dataloader['dataset'])
        return None
    except Exception:  # whatever a dataset makes of a list that is not there
        return None


def _count(dataloader: Mapping) -> int:
    """As many as the sampler has, of the dataset without its transforms."""
    scope = DefaultScope.get_current_instance()
    name = scope.scope_name if scope else 'mmaction'
    with DefaultScope.overwrite_default_scope(name):
        dataset, sampler = dataloader['dataset'], dataloader.get('sampler')
        try:
            dataset = _build(_without_transforms(dataset))
        except (AssertionError, LookupError):  # it looks at its transforms
            dataset = _build(dataset)
        if isinstance(sampler, Mapping):
            sampler = DATA_SAMPLERS.build(
                dict(sampler), default_args=dict(dataset=dataset, seed=0))
        if not hasattr(sampler, '__len__'):
            return len(dataset)
        return len(sampler) * get_world_size()  # that of a process


def _check_encoding(dataset: Any) -> None:
    """Read the lists of a dataset for the error that names list and line."""
    if isinstance(dataset, (list, tuple)):
        for part in dataset:
            _check_encoding(part)
    elif isinstance(dataset, Mapping):
        path = Path(dataset.get('data_root') or '',
                    dataset.get('ann_file') or '')
        if path.is_file() and path.suffix != '.pkl':
            read_list(path)
        for key in ('dataset', 'datasets'):
            _check_encoding(dataset.get(key))


def _build(dataset: Any) -> Any:
    built = DATASETS.build(dataset) if isinstance(dataset, Mapping) else dataset
    if hasattr(built, 'full_init'):
        built.full_init()
    return built


def _without_transforms(dataset: Any) -> Any:
    if isinstance(dataset, (list, tuple)):
        return [_without_transforms(part) for part in dataset]
    if not isinstance(dataset, Mapping):
        return dataset
    return {key: [] if key == 'pipeline' else
            _without_transforms(value) if key in ('dataset', 'datasets') else
            value for key, value in dataset.items()}


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
        clips: Clips of an epoch. None: they are counted.
        processes: Processes that train. None: :func:`count_processes`.

    Raises:
        ValueError: ``max_batch_factor`` is ``'auto'``, and the clips cannot
            be counted.
    """
    batch_size = section(cfg, 'train_dataloader').get('batch_size')
    if not is_count(batch_size):  # refused elsewhere
        return replace(settings, max_batch_factor=None)
    settings = replace(settings, lr_scaling=settings.lr_scaling or lr_rule(section(cfg, 'optim_wrapper')))
    if settings.max_batch_factor != AUTO:
        return settings
    try:
        clips = clips or _count(cfg['train_dataloader'])
    except Exception as error:  # whatever a dataset makes of a missing list
        raise ValueError(
            "multigrid.max_batch_factor = 'auto': needs to know how many "
            'clips there are, and train_dataloader.dataset cannot be built '
            f'here ({type(error).__name__}: {error}); give an integer or '
            'None, or --clips of the commands `schedule` and `check`'
        ) from error
    share = max(1, clips // (processes or count_processes(cfg)))
    return auto_settings(base, settings, batch_size, share)
