"""Settings that follow from the rest of a config."""

import copy
import os
from dataclasses import replace
from typing import Mapping, Optional

from mmengine.dist import get_world_size
from mmengine.registry import DefaultScope

from mmaction.registry import DATA_SAMPLERS, DATASETS
from ..core.schedule import MultigridSchedule, make_grid
from ..core.settings import BaseTraining
from ..core.transform_rules import type_name
from ..loading.train_data import build_dataset
from .base import with_pipelines
from .base_lr import BaseLR, curve_lr
from .describe import count_base_iterations
from .finish import finish_on_full_clips
from .settings import AUTO, Settings, check_count, section

# Environment variable of a launcher that holds the number of processes.
PROCESSES = dict(
    pytorch='WORLD_SIZE', slurm='SLURM_NTASKS', mpi='OMPI_COMM_WORLD_SIZE')
# With fewer iterations of base training, the default often lost accuracy
# (docs/results.md).
ENOUGH_BASE_ITERATIONS = 7000
# Optimizers that divide the gradient by its running size. For these the lr
# follows the square root of the batch (Malladi et al., arXiv 2205.10287).
ADAPTIVE = ('adam', 'lamb', 'adafactor', 'rmsprop', 'lion', 'adagrad',
            'adadelta')


def count_processes(cfg: Mapping) -> int:
    """Count the processes that the launcher of a config started."""
    # The config is resolved before the Runner initializes torch.distributed.
    return int(os.environ.get(PROCESSES.get(cfg.get('launcher'), '')) or 1)


def count_clips(dataloader: Mapping) -> Optional[int]:
    """Count the clips in an epoch of training without decoding any.

    Args:
        dataloader (dict): ``train_dataloader`` of a config.

    Returns:
        int, optional: Number of clips; None if the annotation list is not on
        this machine.

    Raises:
        ValueError: A list is not UTF-8, or a line has no class number.
    """
    try:
        return _count(dataloader)
    except ValueError:
        raise
    except Exception:  # any error of a dataset whose list is missing
        return None


def _count(dataloader: Mapping) -> int:
    """Count the sampler's indices over a dataset without transforms."""
    scope = DefaultScope.get_current_instance()
    name = scope.scope_name if scope else 'mmaction'
    with DefaultScope.overwrite_default_scope(name):
        dataset, sampler = dataloader['dataset'], dataloader.get('sampler')
        # Transforms may need files that are on another machine, such as a
        # frame store.
        bare = copy.deepcopy(dataset)
        for part in with_pipelines(bare):
            part['pipeline'] = []
        try:
            dataset = build_dataset(bare)
        # Some datasets look for a certain transform in their pipeline.
        except (AssertionError, LookupError):
            dataset = DATASETS.build(dataset)
        if isinstance(sampler, Mapping):
            sampler = DATA_SAMPLERS.build(
                dict(sampler), default_args=dict(dataset=dataset, seed=0))
        if not hasattr(sampler, '__len__'):
            return len(dataset)
        # A sampler has the clips of one process.
        return len(sampler) * get_world_size()


def complete_stages(base: BaseTraining, settings: Settings) -> Settings:
    """Complete the entries of explicit ``stages`` by their defaults.

    Raises:
        ValueError: The network does not take the clips of a stage.
    """
    grid, stages = make_grid(base, settings), []
    multiples = dict(
        num_frames=base.frame_multiple, crop_size=grid.crop_multiple)
    for entry in settings.stages or ():
        stage = dict(
            entry,
            **{key: entry.get(key, getattr(base, key))
               for key in multiples})
        for key, multiple in multiples.items():
            if stage[key] % multiple and stage[key] != getattr(base, key):
                raise ValueError(f'multigrid.stages: {key} = {stage[key]}: '
                                 'the network takes clips of a multiple of '
                                 f'{multiple}')
        stage.setdefault(
            'batch_factor',
            grid.batch_factor(stage['num_frames'], stage['crop_size']))
        stages.append(stage)
    return replace(settings, stages=tuple(stages) or None)


def make_schedule(base: BaseTraining,
                  settings: Settings,
                  base_lr: Optional[BaseLR] = None) -> MultigridSchedule:
    """Make a schedule.

    Args:
        base (BaseTraining): The base config's training.
        settings (Settings): The ``multigrid`` settings.
        base_lr (BaseLR, optional): The base config's lr if it is more than
            steps. Defaults to None, which means steps.

    Raises:
        ValueError: The settings leave no epoch, or the network does not take
            the clips of an explicit stage.
    """
    schedule = MultigridSchedule(base, complete_stages(base, settings))
    # Before the lr: curve_lr follows the spans, which the finish replaces.
    if settings.finish != 'short_cycle':
        schedule = finish_on_full_clips(schedule, settings.finish)
    if base_lr is not None:
        schedule.lr = curve_lr(schedule, base_lr)
    return schedule


def auto_settings(base: BaseTraining, settings: Settings, batch_size: int,
                  clips: int) -> Settings:
    """Replace ``max_batch_factor = 'auto'`` by a number.

    It becomes None (no limit) if base training has 7,000 iterations or more,
    and 2 otherwise. Then ``epoch_factor`` becomes 1 and ``finish`` 0.5 as
    well, unless the config sets them or ``stages``.

    Args:
        base (BaseTraining): The base config's training.
        settings (Settings): The ``multigrid`` settings.
        batch_size (int): Base batch per process.
        clips (int): Clips of one process in an epoch.
    """
    found = replace(settings, max_batch_factor=None)
    iterations = count_base_iterations(
        make_schedule(base, found), batch_size, clips)
    if iterations >= ENOUGH_BASE_ITERATIONS:
        return found
    # Explicit stages have epochs and an end of their own.
    few = {} if settings.stages else {
        key: value
        for key, value in dict(epoch_factor=1., finish=0.5).items()
        if getattr(settings, key) == getattr(Settings, key)
    }
    return replace(settings, max_batch_factor=2, **few)


def lr_rule(optim_wrapper: Mapping) -> str:
    """Choose ``'sqrt'`` for Adam and similar optimizers, else ``'linear'``."""
    name = type_name(
        section(optim_wrapper, 'optimizer', 'optim_wrapper.').get('type', ''))
    return 'sqrt' if any(kind in name.lower()
                         for kind in ADAPTIVE) else 'linear'


def complete(settings: Settings,
             base: BaseTraining,
             cfg: Mapping,
             clips: Optional[int] = None,
             processes: Optional[int] = None) -> Settings:
    """Fill in the settings that follow from the config.

    Args:
        settings (Settings): The checked ``multigrid`` key.
        base (BaseTraining): The base config's training.
        cfg (Config): The config.
        clips (int, optional): Clips of all processes in an epoch. Defaults
            to None, which means that they are counted.
        processes (int, optional): Number of processes that train. Defaults
            to None, which means those of the launcher.

    Raises:
        ValueError: The batch size is impossible, or ``max_batch_factor`` is
            ``'auto'`` and the clips cannot be counted.
    """
    batch_size = section(cfg, 'train_dataloader').get('batch_size')
    check_count('train_dataloader.batch_size', batch_size)
    if settings.lr_scaling is None:
        rule = lr_rule(section(cfg, 'optim_wrapper'))
        settings = replace(settings, lr_scaling=rule)
    if settings.max_batch_factor != AUTO:
        return settings
    try:
        clips = clips or _count(cfg['train_dataloader'])
    except Exception as error:  # any error of a dataset with a missing list
        raise ValueError(
            "multigrid.max_batch_factor = 'auto': needs to know how many "
            'clips there are, and train_dataloader.dataset cannot be '
            f'built here ({type(error).__name__}: {error}); give an '
            'integer or None, or --clips of the commands '
            '`schedule` and `check`') from error
    # A process has at least one clip, of a sampler that repeats some.
    return auto_settings(base, settings, batch_size,
                         max(1, clips // (processes or count_processes(cfg))))
