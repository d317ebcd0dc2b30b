"""The lr that a whole run of a real Runner sees, against the reference implementation's."""

import itertools

import pytest
import torch
from mmaction.registry import DATASETS, HOOKS, MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.batch_sampler import MultigridBatchSampler

from ..conftest import ROOT
from ..toy import ToyBackbone, new_name

K400 = ROOT / 'configs/recognition/slowfast/slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py'


@MODELS.register_module()
class IdleModel(nn.Module):
    """Takes batches and learns nothing: what is asked here is when they come, and at which lr."""

    def __init__(self):
        super().__init__()
        self.layer = ToyBackbone(1)

    def train_step(self, data, optim_wrapper):
        with optim_wrapper.optim_context(self):
            optim_wrapper.update_params(sum(p.sum() for p in self.parameters()))
        return dict(loss=torch.zeros(()))


@DATASETS.register_module()
class EmptyClips:
    """Clips with nothing in them, so that loading takes no time."""
    metainfo = {}

    def __init__(self, num_clips):
        self.num_clips = num_clips

    def __len__(self):
        return self.num_clips

    def __getitem__(self, item):
        return {}


@HOOKS.register_module()
class LRHook(Hook):
    """Writes down the lr of every iteration."""
    seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        LRHook.seen.append(runner.optim_wrapper.get_lr()['lr'][0])


def config(given, work_dir):
    """The shipped Kinetics-400 config with a reference input's settings in it."""
    cfg = Config.fromfile(K400)
    cfg.train_cfg.max_epochs = given['max_epochs']
    cfg.train_dataloader.batch_size = given['batch_size'] // given['num_gpus']
    cfg.optim_wrapper.optimizer.lr = given['base_lr']
    warmup, steps = cfg.param_scheduler
    steps.update(milestones=given['steps'][1:], end=given['max_epochs'], gamma=given['gamma'])
    warmup.update(end=given['warmup_epochs'], start_factor=given['warmup_start_lr'] / given['base_lr'])
    if not given['warmup_epochs']:
        cfg.param_scheduler = [steps]
    cfg.multigrid = {key: given[key] for key in ('long_cycle', 'short_cycle', 'epoch_factor', 'long_cycle_factors',
                                                 'short_cycle_factors')}
    cfg.model, cfg.work_dir, cfg.log_level = dict(type='IdleModel'), str(work_dir), 'ERROR'
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    cfg.multigrid.precise_bn = 0
    cfg.default_hooks.checkpoint = None
    cfg.custom_hooks = [dict(type='LRHook')]
    return apply_multigrid(cfg)


def even_length(dataloader):
    """Clips with which every epoch has an even number of batches, so that an iteration starts at its middle."""
    def fits(length):
        sampler = MultigridBatchSampler(range(length), dataloader.batch_size, dataloader.batch_sampler.stages)
        return not any(sampler.num_batches(stage.begin) % 2 for stage in sampler.stages)

    return next(filter(fits, itertools.count(300)))


def test_lr_at_every_half_epoch(reference, tmp_path):
    cfg = config(reference['input'], tmp_path)
    clips = even_length(cfg.train_dataloader)
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False, timeout=0)
    cfg.train_dataloader.dataset = dict(type='EmptyClips', num_clips=clips)
    LRHook.seen.clear()
    runner = Runner.from_cfg(new_name(cfg))
    runner.train()
    assert len(LRHook.seen) == runner.max_iters
    seen = {runner.train_loop.epoch_at(iteration): lr for iteration, lr in enumerate(LRHook.seen)}
    expected = reference['output']['lr']
    assert len(expected) == 2 * runner.max_epochs
    for epoch, lr in expected:
        assert seen[epoch] == pytest.approx(lr, rel=1e-9)
