"""From a multigrid config to the resolved one, in which everything is explicit."""

import copy
import logging
from typing import Any, Mapping, Optional, Tuple

from mmaction.registry import TRANSFORMS
from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from ..schedule import MultigridSchedule, Settings, check_count, clamped_frames, stages_to_config, type_name
from .base import position_warnings, read_base
from .completed import complete
from .sections import name_types, section

PACKAGE = 'mmaction_multigrid'
LOADER_TIMEOUT = 600  # seconds for one batch


def multigrid_schedule(cfg: Config, clips: Optional[int] = None,
                       processes: Optional[int] = None) -> Tuple[MultigridSchedule, Optional[int]]:
    """The schedule of a multigrid config, and the frame interval of its base clips (None: it has none).

    Args:
        cfg (Config): The config.
        clips (int, optional): Clips in the data set, for ``max_batch_factor = 'auto'``. None: those of its lists.
        processes (int, optional): Processes that train, for the same. None: as many as the config's launcher started.

    Raises:
        TypeError, ValueError: A setting is wrong or the base config cannot be trained with multigrid.
    """
    settings = Settings.from_dict(cfg['multigrid'])
    base, frame_interval = read_base(cfg)
    schedule = MultigridSchedule(base, complete(settings, base, cfg, clips, processes))
    for wanted, got in clamped_frames(schedule):
        _warn(f'clips of {wanted} frames have {got}: the network takes multiples of {base.frame_multiple}')
    backbone = section(section(cfg, 'model'), 'backbone', 'model.')
    for text in position_warnings(backbone, *base.shape[1:]):
        _warn(text)
    if schedule.dropped:
        stages = schedule.dropped + len(schedule.stages)
        _warn(f'{schedule.dropped} of {stages} stages are shorter than half an epoch and left out, with an lr decay '
              'that begins in one; more epochs, or a larger multigrid.epoch_factor, keep them')
    return schedule, frame_interval


def _warn(text: str) -> None:
    print_log(f'multigrid: {text}', logger='current', level=logging.WARNING)


def apply_multigrid(cfg: Config) -> Config:
    """Resolve a multigrid config: write out loop, sampler, data set, transforms, hooks and lr schedule.

    The result has neither ``multigrid`` nor ``runner_type``, runs in the stock ``Runner``, and is left as it is
    by another call, like any config without ``multigrid``.

    Args:
        cfg (Config): Any config; it is not changed.

    Returns:
        Config: The resolved config.

    Raises:
        TypeError, ValueError: A setting is wrong or the base config cannot be trained with multigrid. The message
            names the key, its value and what is allowed.
    """
    cfg = copy.copy(cfg) if isinstance(cfg, Config) else Config(dict(cfg))
    # The text of a config, which checkpoints hold, cannot have classes in it.
    content = ConfigDict(name_types(cfg.to_dict()))
    object.__setattr__(cfg, '_cfg_dict', content)
    if type_name(cfg.get('runner_type', '')) == 'MultigridRunner':
        cfg.pop('runner_type')
    if 'multigrid' not in cfg:
        return cfg
    settings = Settings.from_dict(cfg['multigrid'])
    if not settings.active:
        _warn('both long_cycle and short_cycle are off; the base config is trained as it is')
        cfg.pop('multigrid')
        return cfg
    schedule, _ = multigrid_schedule(cfg)
    settings = schedule.settings
    cfg.pop('multigrid')
    base_shape = (schedule.base.num_frames, schedule.base.crop_size)
    drop_last = bool(cfg['train_dataloader'].get('drop_last', False))
    cfg['train_dataloader'] = _resolve_dataloader(cfg['train_dataloader'], schedule, base_shape)
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        _drop_scopes(cfg.get(key))
    cfg['train_cfg'] = dict(type='MultigridTrainLoop', max_epochs=schedule.max_epochs, eval_freq=settings.eval_freq)
    cfg['param_scheduler'] = [_resolve_lr(schedule, drop_last)]
    cfg['custom_hooks'] = _resolve_hooks(cfg.get('custom_hooks'), schedule, base_shape) + _resolve_compile(
        cfg.pop('compile', None))
    cfg['default_hooks'] = _resolve_default_hooks(section(cfg, 'default_hooks'))
    cfg['custom_imports'] = _resolve_imports(section(cfg, 'custom_imports'))
    if not cfg.get('default_scope'):
        cfg['default_scope'] = 'mmaction'  # in whose registries our parts are
    return cfg


def _resolve_dataloader(dataloader: dict, schedule: MultigridSchedule, base_shape: Tuple[int, int]) -> dict:
    dataloader = dict(dataloader)
    if dataloader.get('batch_sampler') is not None:
        raise ValueError(f'train_dataloader.batch_sampler = {dataloader["batch_sampler"]!r}: multigrid sets one of its '
                         'own; leave it out of the base config')
    check_count('train_dataloader.batch_size', dataloader.get('batch_size'))
    # A partial batch would have another cost and lr than its shape stands for.
    dataloader.pop('drop_last', None)
    dataloader['batch_sampler'] = dict(type='MultigridBatchSampler', stages=stages_to_config(schedule.stages))
    dataloader['dataset'] = dict(
        type='MultigridDataset', base_shape=base_shape,
        dataset=_resolve_dataset(dataloader['dataset'], schedule.settings))
    if dataloader.get('num_workers', 0):
        dataloader['persistent_workers'] = True
        dataloader.setdefault('timeout', LOADER_TIMEOUT)  # a decoder that hangs would hold the run up for ever
    return dataloader


def _drop_scopes(dataloader: Optional[dict]) -> None:
    """Drop ``_scope_`` where mmengine would hand it to a function.

    Dicts that are inherited through ``mmaction::`` have it. Registries take it
    out; a data loader's functions are called with the dict as it is.
    """
    for key in ('collate_fn', 'worker_init_fn'):
        if isinstance(dataloader, dict) and isinstance(dataloader.get(key), dict):
            dataloader[key].pop('_scope_', None)


def _resolve_dataset(dataset: Any, settings: Settings) -> Any:
    """Wrap the transforms of every pipeline in the config of a data set, those of wrapped data sets too."""
    if isinstance(dataset, (list, tuple)):
        return [_resolve_dataset(entry, settings) for entry in dataset]
    dataset = dict(dataset)
    if dataset.get('pipeline'):
        pipeline = dataset['pipeline']
        if settings.grid_store:
            pipeline = TRANSFORMS.get('GridStoreInit').insert(dataset, settings.grid_store, settings.grid_store_full)
        dataset['pipeline'] = TRANSFORMS.get('MultigridTransform').wrap_pipeline(pipeline)
    for key in ('dataset', 'datasets'):
        if isinstance(dataset.get(key), (dict, list, tuple)):
            dataset[key] = _resolve_dataset(dataset[key], settings)
    return dataset


def _resolve_lr(schedule: MultigridSchedule, drop_last: bool) -> dict:
    lr = schedule.lr
    config = dict(type='MultigridLR', points=list(lr.points))
    if lr.warmup_epochs:
        config.update(warmup_epochs=lr.warmup_epochs, warmup_factor=lr.warmup_factor)
    if lr.clock:
        config.update(base=dict(schedule.base.curve.config, drop_last=drop_last), clock=list(map(tuple, lr.clock)))
    return config


def _resolve_hooks(hooks: Any, schedule: MultigridSchedule, base_shape: Tuple[int, int]) -> list:
    settings = schedule.settings
    if hooks is not None and not isinstance(hooks, (list, tuple)):
        raise TypeError(f'custom_hooks = {hooks!r}: must be a list')
    hooks = list(hooks or [])
    settable = [type_name(hook.get('type')) for hook in hooks if isinstance(hook, Mapping)]
    hooks.append(dict(type='MultigridHook', bn_base_size=settings.bn_base_size, base=_about(schedule)))
    if 'BadVideosHook' not in settable:  # the base config's own, with another max_share
        hooks.append(dict(type='BadVideosHook'))
    if settings.precise_bn:
        hooks.append(dict(type='PreciseBNHook', base_shape=base_shape, num_batches=settings.precise_bn))
    return hooks


def _about(schedule: MultigridSchedule) -> dict:
    """What the log says at the start of training, beside what the run itself tells."""
    settings = schedule.settings
    return dict(max_epochs=schedule.base.max_epochs, relative_cost=round(1 / schedule.predicted_speedup, 4),
                max_batch_factor=settings.max_batch_factor, lr_scaling=settings.lr_scaling)


def _resolve_compile(options: Any) -> list:
    """mmengine's ``compile`` would compile the train step anew at every iteration."""
    if options is None or options is False:
        return []
    if options is not True and not isinstance(options, Mapping):
        raise TypeError(f'compile = {options!r}: must be True, False or a dict of arguments of torch.compile')
    return [dict({} if options is True else options, type='CompileBackboneHook')]


def _resolve_default_hooks(hooks: Mapping) -> dict:
    if 'checkpoint' in hooks and hooks['checkpoint'] is None:  # the base config saves none
        return dict(hooks)
    checkpoint = dict(section(hooks, 'checkpoint', 'default_hooks.'))
    if type_name(checkpoint.get('type', 'CheckpointHook')) == 'CheckpointHook':
        checkpoint['type'] = 'MultigridCheckpointHook'
        for key in ('interval', 'by_epoch'):
            checkpoint.pop(key, None)
    return {**hooks, 'checkpoint': checkpoint}


def _resolve_imports(imports: Mapping) -> dict:
    imports = dict(imports or dict(allow_failed_imports=False))
    names = imports.get('imports') or []
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, (list, tuple)):
        raise TypeError(f'custom_imports.imports = {names!r}: must be a list of modules')
    imports['imports'] = names if PACKAGE in names else [*names, PACKAGE]
    return imports
