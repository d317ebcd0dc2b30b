"""From a multigrid config to the resolved one."""

import copy
import logging
from typing import Any, Mapping, Optional, Tuple

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from mmaction.registry import TRANSFORMS
from ..core.schedule import MultigridSchedule
from ..core.stages import stages_to_config
from ..core.transform_rules import type_name
from .auto import clamped_frames, complete, make_schedule
from .base import position_warnings, read_base
from .curve_lr import lr_config
from .pipeline import wrap_pipeline
from .sections import check_count, name_types, section
from .settings import Settings

PACKAGE = 'mmaction_multigrid'
# Seconds for one batch, after which a decoder that hangs ends training.
LOADER_TIMEOUT = 600


def multigrid_schedule(cfg: Config,
                       clips: Optional[int] = None,
                       processes: Optional[int] = None
                       ) -> Tuple[MultigridSchedule, Optional[int]]:
    """Make the schedule of a multigrid config.

    Args:
        cfg (Config): The config.
        clips (int, optional): Clips in the dataset, for ``max_batch_factor =
            'auto'``. Defaults to None, which means that they are counted.
        processes (int, optional): Processes that train, for the same.
            Defaults to None, which means those of the launcher.

    Returns:
        tuple: The schedule and the frame interval of the base clips, which
        is None where they have none.

    Raises:
        TypeError, ValueError: A setting is wrong, or the base config cannot
            be trained with multigrid.
    """
    settings = Settings.from_dict(cfg['multigrid'])
    base, curve, frame_interval = read_base(cfg)
    settings = complete(settings, base, cfg, clips, processes)
    schedule = make_schedule(base, settings, curve)
    for wanted, got in clamped_frames(base, settings):
        _warn(f'clips of {wanted} frames have {got}: the network takes '
              f'multiples of {base.frame_multiple}')
    backbone = section(section(cfg, 'model'), 'backbone', 'model.')
    for text in position_warnings(backbone, base.num_frames, base.crop_size):
        _warn(text)
    if schedule.dropped:
        _warn(
            f'{schedule.dropped} of {schedule.dropped + len(schedule.stages)} '
            'stages are shorter than half an epoch and left out, with an lr '
            'decay that begins in one; more epochs, or a larger '
            'multigrid.epoch_factor, keep them')
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
    # The text of a config in checkpoints cannot hold classes.
    content = ConfigDict(name_types(cfg.to_dict()))
    object.__setattr__(cfg, '_cfg_dict', content)
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


def _resolve(cfg: Config) -> None:
    """Write all that follows from ``multigrid`` into a config."""
    schedule, _ = multigrid_schedule(cfg)
    settings = schedule.settings
    base_shape = (schedule.base.num_frames, schedule.base.crop_size)
    drop_last = bool(cfg['train_dataloader'].get('drop_last', False))
    cfg['train_dataloader'] = _resolve_dataloader(cfg['train_dataloader'],
                                                  schedule, base_shape)
    _drop_scopes(cfg)
    cfg['train_cfg'] = dict(
        type='MultigridTrainLoop',
        max_epochs=schedule.max_epochs,
        eval_freq=settings.eval_freq)
    cfg['param_scheduler'] = [lr_config(schedule, drop_last)]
    cfg['custom_hooks'] = [
        *_resolve_hooks(cfg.get('custom_hooks'), schedule, base_shape),
        *_resolve_compile(cfg.pop('compile', None))
    ]
    cfg['default_hooks'] = _resolve_default_hooks(
        section(cfg, 'default_hooks'))
    cfg['custom_imports'] = _resolve_imports(section(cfg, 'custom_imports'))
    if not cfg.get('default_scope'):
        cfg['default_scope'] = 'mmaction'


def _resolve_dataloader(dataloader: dict, schedule: MultigridSchedule,
                        base_shape: Tuple[int, int]) -> dict:
    dataloader = dict(dataloader)
    if dataloader.get('batch_sampler') is not None:
        raise ValueError('train_dataloader.batch_sampler = '
                         f'{dataloader["batch_sampler"]!r}: multigrid sets '
                         'one of its own; leave it out of the base config')
    check_count('train_dataloader.batch_size', dataloader.get('batch_size'))
    # A partial batch would have another cost and lr than its shape.
    dataloader.pop('drop_last', None)
    dataloader['batch_sampler'] = dict(
        type='MultigridBatchSampler', stages=stages_to_config(schedule.stages))
    dataset = _resolve_dataset(dataloader['dataset'], schedule.settings)
    dataloader['dataset'] = dict(
        type='MultigridDataset',
        base_shape=base_shape,
        dataset=dict(type='ReplaceBrokenClips', dataset=dataset))
    if dataloader.get('num_workers', 0):
        dataloader['persistent_workers'] = True
        dataloader.setdefault('timeout', LOADER_TIMEOUT)
    return dataloader


def _drop_scopes(cfg: Config) -> None:
    """Drop ``_scope_`` where mmengine would pass it to a function.

    Dicts that are inherited through ``mmaction::`` have it, and registries
    remove it. A data loader's functions are called with the dict as it is.
    """
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        for key in ('collate_fn', 'worker_init_fn'):
            if isinstance(loader, dict) and isinstance(loader.get(key), dict):
                loader[key].pop('_scope_', None)


def _resolve_dataset(dataset: Any, settings: Settings) -> Any:
    """Wrap the transforms of all pipelines in a dataset's config."""
    if isinstance(dataset, (list, tuple)):
        return [_resolve_dataset(entry, settings) for entry in dataset]
    dataset = dict(dataset)
    if dataset.get('pipeline'):
        pipeline = dataset['pipeline']
        if settings.grid_store:
            pipeline = TRANSFORMS.get('GridStoreInit').insert(
                dataset, settings.grid_store, settings.grid_store_full)
        dataset['pipeline'] = wrap_pipeline(pipeline)
    for key in ('dataset', 'datasets'):
        if isinstance(dataset.get(key), (dict, list, tuple)):
            dataset[key] = _resolve_dataset(dataset[key], settings)
    return dataset


def _resolve_hooks(hooks: Any, schedule: MultigridSchedule,
                   base_shape: Tuple[int, int]) -> list:
    settings = schedule.settings
    if hooks is not None and not isinstance(hooks, (list, tuple)):
        raise TypeError(f'custom_hooks = {hooks!r}: must be a list')
    hooks = list(hooks or [])
    about = dict(
        max_epochs=schedule.base.max_epochs,
        relative_cost=round(1 / schedule.predicted_speedup, 4),
        max_batch_factor=settings.max_batch_factor,
        lr_scaling=settings.lr_scaling)
    added = [
        dict(type='MultigridHook', bn_base_size=settings.bn_base_size),
        dict(type='InterpolatePosEmbedHook'),
        dict(type='ResumeCheckHook'),
        dict(type='StartReportHook', base=about),
        dict(type='PrefetchHook'),
    ]
    # The base config may have a BadVideosHook with another max_share.
    own = [type_name(h.get('type')) for h in hooks if isinstance(h, Mapping)]
    if 'BadVideosHook' not in own:
        added.append(dict(type='BadVideosHook'))
    if settings.precise_bn:
        added.append(
            dict(
                type='PreciseBNHook',
                base_shape=base_shape,
                num_batches=settings.precise_bn))
    return hooks + added


def _resolve_compile(options: Any) -> list:
    """Replace mmengine's ``compile``, which compiles every iteration."""
    if options is None or options is False:
        return []
    if options is not True and not isinstance(options, Mapping):
        raise TypeError(f'compile = {options!r}: must be True, False or a '
                        'dict of arguments of torch.compile')
    options = {} if options is True else options
    return [dict(options, type='CompileBackboneHook')]


def _resolve_default_hooks(hooks: Mapping) -> dict:
    # The base config may save no checkpoints.
    if 'checkpoint' in hooks and hooks['checkpoint'] is None:
        return dict(hooks)
    checkpoint = dict(section(hooks, 'checkpoint', 'default_hooks.'))
    kind = type_name(checkpoint.get('type', 'CheckpointHook'))
    if kind == 'CheckpointHook':
        checkpoint['type'] = 'MultigridCheckpointHook'
        for key in ('interval', 'by_epoch'):
            checkpoint.pop(key, None)
    return {**hooks, 'checkpoint': checkpoint}


def _resolve_imports(imports: Mapping) -> dict:
    imports = dict(imports or dict(allow_failed_imports=False))
    names = imports.get('imports') or []
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, (list, tuple)):
        raise TypeError(
            f'custom_imports.imports = {names!r}: must be a list of modules')
    imports['imports'] = names if PACKAGE in names else [*names, PACKAGE]
    return imports
