"""From a multigrid config to the resolved one."""

import copy
import logging
from types import FunctionType
from typing import Any, Mapping, Optional, Tuple

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from mmaction.registry import TRANSFORMS
from ..core.schedule import MultigridSchedule
from ..core.stages import stages_to_config
from ..core.transform_rules import type_name
from .auto import complete, make_schedule
from .base import check_network, read_base, with_pipelines
from .base_lr import CurveLR
from .pipeline import wrap_pipeline
from .settings import Settings, section

PACKAGE = 'mmaction_multigrid'
# Seconds to wait for one batch. A decoder that hangs would otherwise stop
# training without an error, as torch's default is to wait forever.
LOADER_TIMEOUT = 600


def multigrid_schedule(cfg: Config,
                       clips: Optional[int] = None,
                       processes: Optional[int] = None
                       ) -> Tuple[MultigridSchedule, Optional[int]]:
    """Make the schedule of a multigrid config.

    Args:
        cfg (Config): The config.
        clips (int, optional): Clips in the dataset, which
            ``max_batch_factor = 'auto'`` needs. Defaults to None, which means
            that they are counted.
        processes (int, optional): Number of processes that train, which
            ``'auto'`` needs as well. Defaults to None, which means those of
            the launcher.

    Returns:
        tuple: The schedule and the frame interval of the base clips, which
        is None where they have none.

    Raises:
        TypeError, ValueError: A setting is wrong, or the base config cannot
            be trained with multigrid.
    """
    settings = Settings.from_dict(cfg['multigrid'])
    base, base_lr, frame_interval = read_base(cfg)
    if not settings.allow_untested:
        check_network(cfg['model'])
    settings = complete(settings, base, cfg, clips, processes)
    schedule = make_schedule(base, settings, base_lr)
    if schedule.dropped:
        _warn(
            f'{schedule.dropped} of {schedule.dropped + len(schedule.stages)} '
            'stages are shorter than half an epoch and left out, with an lr '
            'decay that begins in one. To keep them, train more epochs first '
            '(multigrid.epoch_factor); if that takes too long, list fewer '
            'shapes in multigrid.long_cycle_factors')
    return schedule, frame_interval


def _warn(text: str) -> None:
    print_log(f'multigrid: {text}', logger='current', level=logging.WARNING)


def apply_multigrid(cfg: Config) -> Config:
    """Resolve a multigrid config.

    The result has everything written out: loop, sampler, dataset,
    transforms, hooks and lr. It has neither ``multigrid`` nor
    ``runner_type`` and runs in the stock ``Runner``. Applying it again, or to
    a config without ``multigrid``, changes nothing.

    Args:
        cfg (Config): Any config; it is not changed.

    Returns:
        Config: The resolved config.

    Raises:
        TypeError, ValueError: A setting is wrong, or the base config cannot
            be trained with multigrid. The message names the key, its value
            and what is allowed.
    """
    cfg = copy.copy(cfg) if isinstance(cfg, Config) else Config(dict(cfg))
    # Checkpoints hold the config as text, which cannot hold the classes of a
    # new-style config.
    # Config.__setattr__ would make this a key of the config.
    object.__setattr__(cfg, '_cfg_dict', ConfigDict(name_types(cfg.to_dict())))
    if type_name(cfg.get('runner_type', '')) == 'MultigridRunner':
        cfg.pop('runner_type')
    if 'multigrid' not in cfg:
        return cfg
    if Settings.from_dict(cfg['multigrid']).active:
        _resolve(cfg)
    else:
        _warn('both long_cycle and short_cycle are off; the '
              'base config is trained as it is')
    cfg.pop('multigrid')
    return cfg


def name_types(value: Any) -> Any:
    """Replace classes and functions by names that registries find.

    Args:
        value: A config or a part of one: ``type=SGD`` of a config that
            imports it becomes ``type='torch.optim.sgd.SGD'``.

    Returns:
        The same in new plain dicts, lists and tuples.
    """
    if isinstance(value, Mapping):
        return {key: name_types(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(name_types(entry) for entry in value)
    if isinstance(value, (type, FunctionType)):
        name = f'{value.__module__}.{value.__qualname__}'
        return value if '<' in name else name  # a local one has no name
    return value


def _resolve(cfg: Config) -> None:
    """Write everything that follows from ``multigrid`` into a config."""
    schedule, _ = multigrid_schedule(cfg)
    base_shape = (schedule.base.num_frames, schedule.base.crop_size)
    # The length of base training's epochs, which iteration-based lr curves
    # depend on. The resolved loader no longer has it.
    drop_last = bool(cfg['train_dataloader'].get('drop_last', False))
    cfg['train_dataloader'] = _resolve_dataloader(cfg['train_dataloader'],
                                                  schedule, base_shape)
    _drop_scopes(cfg)
    cfg['train_cfg'] = dict(
        type='MultigridTrainLoop',
        max_epochs=schedule.max_epochs,
        eval_freq=schedule.settings.eval_freq)
    cfg['param_scheduler'] = [lr_config(schedule, drop_last)]
    cfg['custom_hooks'] = _resolve_hooks(cfg, schedule, base_shape)
    cfg['default_hooks'] = _resolve_default_hooks(
        section(cfg, 'default_hooks'))
    cfg['custom_imports'] = _resolve_imports(section(cfg, 'custom_imports'))
    if not cfg.get('default_scope'):
        cfg['default_scope'] = 'mmaction'


def _resolve_dataloader(dataloader: dict, schedule: MultigridSchedule,
                        base_shape: Tuple[int, int]) -> dict:
    if dataloader.get('batch_sampler') is not None:
        raise ValueError('train_dataloader.batch_sampler = '
                         f'{dataloader["batch_sampler"]!r}: multigrid sets '
                         'another one; leave it out of the base config')
    # A partial batch would have another cost and lr than its shape, and torch
    # refuses drop_last beside a batch sampler.
    dataloader.pop('drop_last', None)
    dataloader['batch_sampler'] = dict(
        type='MultigridBatchSampler', stages=stages_to_config(schedule.stages))
    settings = schedule.settings
    for dataset in with_pipelines(dataloader['dataset']):
        pipeline = dataset['pipeline']
        if settings.grid_store:
            # By its registered name: frame_store imports config.
            pipeline = TRANSFORMS.get('GridStoreInit').insert(
                dataset, settings.grid_store, settings.grid_store_full)
        dataset['pipeline'] = wrap_pipeline(pipeline, schedule.base.segments)
    dataloader['dataset'] = dict(
        type='MultigridDataset',
        base_shape=base_shape,
        dataset=dict(type='ReplaceBrokenClips', dataset=dataloader['dataset']))
    # Without workers torch refuses both settings. Workers that are started
    # anew in each epoch would load nothing across its end.
    if dataloader.get('num_workers', 0):
        dataloader['persistent_workers'] = True
        dataloader.setdefault('timeout', LOADER_TIMEOUT)
    return dataloader


def _drop_scopes(cfg: Config) -> None:
    """Drop ``_scope_`` where mmengine would pass it to a function.

    Dicts that are inherited through ``mmaction::`` have this key. Registries
    remove it, but mmengine calls the functions of a data loader with all keys
    of their dict.
    """
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        for key in ('collate_fn', 'worker_init_fn'):
            if isinstance(loader, dict) and isinstance(loader.get(key), dict):
                loader[key].pop('_scope_', None)


def lr_config(schedule: MultigridSchedule, drop_last: bool) -> dict:
    """Return the config of the scheduler for the lr of a schedule.

    Args:
        schedule (MultigridSchedule): The schedule.
        drop_last (bool): ``drop_last`` of base training's data loader.
    """
    lr = schedule.lr
    config = dict(type='MultigridLR', points=list(lr.points))
    if lr.warmup_epochs:
        config.update(
            warmup_epochs=lr.warmup_epochs, warmup_factor=lr.warmup_factor)
    if lr.final:
        config.update(final=lr.final)
    if isinstance(lr, CurveLR) and lr.clock:
        config.update(
            type='MultigridCurveLR',
            base=dict(lr.curve.config, drop_last=drop_last),
            clock=[tuple(span[:4]) for span in lr.clock])
    return config


def _resolve_hooks(cfg: Config, schedule: MultigridSchedule,
                   base_shape: Tuple[int, int]) -> list:
    settings = schedule.settings
    about = dict(
        max_epochs=schedule.base.max_epochs,
        relative_cost=round(1 / schedule.predicted_speedup, 4),
        max_batch_factor=settings.max_batch_factor,
        lr_scaling=settings.lr_scaling)
    # Hooks of equal priority run in this order: batch norms and position
    # embeddings are converted before StartReportHook describes the model.
    hooks = [
        *section(cfg, 'custom_hooks', kind=list),
        dict(type='MultigridHook', bn_base_size=settings.bn_base_size),
        dict(type='InterpolatePosEmbedHook'),
        dict(type='ResumeCheckHook'),
        dict(type='StartReportHook', base=about),
        dict(type='PrefetchHook'),
    ]
    # The base config may have a BadVideosHook with another max_share.
    names = [type_name(h.get('type')) for h in hooks if isinstance(h, Mapping)]
    if 'BadVideosHook' not in names:
        hooks.append(dict(type='BadVideosHook'))
    if settings.precise_bn:
        hooks.append(
            dict(
                type='PreciseBNHook',
                base_shape=base_shape,
                num_batches=settings.precise_bn))
    # mmengine's own ``compile`` would compile anew at every iteration, see
    # CompileBackboneHook.
    options = cfg.pop('compile', None)
    if options:
        if options is not True and not isinstance(options, Mapping):
            raise TypeError(f'compile = {options!r}: must be True, False or a '
                            'dict of arguments of torch.compile')
        hooks.append(
            dict(
                {} if options is True else options,
                type='CompileBackboneHook'))
    return hooks


def _resolve_default_hooks(hooks: Mapping) -> dict:
    checkpoint = dict(section(hooks, 'checkpoint', 'default_hooks.'))
    # The base config may have another hook, or save no checkpoints.
    if (hooks.get('checkpoint', {}) is None or type_name(
            checkpoint.get('type', 'CheckpointHook')) != 'CheckpointHook'):
        return dict(hooks)
    checkpoint['type'] = 'MultigridCheckpointHook'
    # The stages set when to save: epochs of base training mean nothing here.
    for key in ('interval', 'by_epoch'):
        checkpoint.pop(key, None)
    return {**hooks, 'checkpoint': checkpoint}


def _resolve_imports(imports: Mapping) -> dict:
    imports = dict(imports or dict(allow_failed_imports=False))
    if isinstance(imports.get('imports'), str):
        imports['imports'] = [imports['imports']]
    names = section(imports, 'imports', 'custom_imports.', list)
    imports['imports'] = names if PACKAGE in names else [*names, PACKAGE]
    return imports
