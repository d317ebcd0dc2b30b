"""Short runs of stock configs, for the survey of them."""

import math
import resource
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.config.base import with_pipelines
from mmaction_multigrid.profiling.network import without_weights
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from survey_data import narrow, narrow_classes, use_data

from mmaction.registry import DATA_SAMPLERS

# Messages of torch and oneDNN.
OUT_OF_MEMORY = ("can't allocate memory", 'could not create a primitive',
                 'std::bad_alloc')
TOO_LARGE = 'too large to run here'


@DATA_SAMPLERS.register_module()
def first_clips(dataset, clips: int, **kwargs) -> range:
    """Sample the first clips in order."""
    return range(clips)


class Watch(Hook):
    """Keep the sizes of the inputs that a model gets, and the losses.

    Args:
        axis (int): The axis of the inputs that is time.
    """

    def __init__(self, axis: int) -> None:
        self.axis, self.sizes, self.losses = axis, [], []

    def before_train(self, runner) -> None:
        runner.model.data_preprocessor.register_forward_hook(self._note)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        # Random weights and labels must not diverge.
        for group in runner.optim_wrapper.param_groups:
            group['lr'] = min(group['lr'], 1e-6)

    def _note(self, module, args, output) -> None:
        if module.training:
            inputs = output['inputs']
            # Several modalities have a dict.
            shape = getattr(inputs, 'shape', None) or next(
                iter(inputs.values())).shape
            self.sizes.append((shape[self.axis], min(shape[-2:])))

    def after_train_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        self.losses.append(outputs['loss'].item())


def time_axis(cfg: Config) -> int:
    """Return the axis of a batch that is time, or that holds segments."""
    dataset = next(with_pipelines(cfg.train_dataloader.dataset))
    formats = [step.get('input_format') for step in dataset['pipeline']]
    return 1 if 'NCHW' in formats else -3


def shorten(cfg: Config, folder: Path) -> Config:
    """Return a config with small networks, made-up data and base batch 1."""
    cfg = Config(cfg.to_dict())
    cfg.model = narrow(without_weights(cfg.model.to_dict()))
    for name in ('train_dataloader', 'val_dataloader'):
        loader = cfg[name]
        use_data(loader.dataset, folder)
        loader.update(batch_size=1, num_workers=0, persistent_workers=False)
        (loader.get('collate_fn') or {}).pop('_scope_', None)
    # mmengine refuses mixed precision on CPUs.
    for key in ('type', 'dtype', 'loss_scale', 'use_fsdp'):
        cfg.optim_wrapper.pop(key, None)
    return cfg


def short_run(cfg: Config) -> Config:
    """Resolve a config and leave one step of each shape.

    Each number of frames or segments has an epoch. The smallest clips come in
    a batch of two, and others alone.
    """
    if 'multigrid' in cfg:
        cfg = apply_multigrid(cfg)
        sampler = cfg.train_dataloader.batch_sampler
        sizes = sorted({(*shape[1:], )
                        for stage in sampler.stages
                        for shape in stage['shapes']})
        sampler.stages = [
            dict(
                epochs=1,
                shapes=[(2 if size == sizes[0] else 1, *size) for size in sizes
                        if size[0] == frames])
            for frames in sorted({size[0]
                                  for size in sizes})
        ]
        clips = max(
            sum(shape[0] for shape in stage['shapes'])
            for stage in sampler.stages)
        cfg.train_cfg.update(max_epochs=len(sampler.stages), eval_freq=1)
        # Precise BN would load many clips.
        cfg.custom_hooks = [
            hook for hook in cfg.custom_hooks
            if hook['type'] != 'PreciseBNHook'
        ]
    else:
        cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
        clips = 1
    cfg.train_dataloader.sampler = dict(type='first_clips', clips=clips)
    cfg.default_hooks.checkpoint = None
    for part in ('val', 'test'):
        for key in ('cfg', 'evaluator', 'dataloader'):
            cfg[f'{part}_{key}'] = None
    cfg.update(load_from=None, resume=False, log_level='WARNING')
    return cfg


def train(cfg: Config, memory: float) -> dict:
    """Make a short run in this process, which is of no use afterwards.

    Returns:
        dict: ``sizes`` and ``losses`` of the steps, and ``error``, which is
        empty if nothing failed.
    """
    resource.setrlimit(resource.RLIMIT_DATA,
                       (int(memory * 2**30), resource.RLIM_INFINITY))
    narrow_classes()
    # The Runner formats its config four times, each for seconds.
    Config.pretty_text = ''
    watch, error = Watch(time_axis(cfg)), ''
    val_dataloader = cfg.val_dataloader
    with TemporaryDirectory() as work_dir:
        try:
            cfg = short_run(cfg)
            cfg.work_dir = work_dir
            runner = Runner.from_cfg(cfg)
            runner.register_hook(watch)
            runner.train()
            model = runner.model.eval()
            with torch.no_grad():
                model.val_step(
                    next(iter(Runner.build_dataloader(val_dataloader))))
            if not all(map(math.isfinite, watch.losses)):
                error = f'losses {watch.losses}'
        except Exception as raised:  # networks raise errors of any type
            error = f'{type(raised).__name__}: {raised}'.splitlines()[0]
    return dict(sizes=watch.sizes, losses=watch.losses, error=error)


def in_process(cfg: Config, memory: float) -> dict:
    """Make a short run in a process of its own, of at most ``memory`` GiB."""
    with ProcessPoolExecutor(1, mp_context=get_context('fork')) as pool:
        try:
            result = pool.submit(train, cfg, memory).result()
        except BrokenProcessPool:
            result = dict(sizes=[], losses=[], error=TOO_LARGE)
    if any(text in result['error'] for text in OUT_OF_MEMORY):
        result['error'] = TOO_LARGE
    return result
