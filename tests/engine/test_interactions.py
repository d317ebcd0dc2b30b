"""Combine multigrid with other features of mmengine."""

import pytest
import torch
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.batch_sampler import PRECISE_BN
from mmaction_multigrid.core.precise_bn import PreciseBN
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..small import scalars
from ..toy import base_config, new_name
from .test_training import last_weights


@pytest.fixture
def cfg(tmp_path):
    stages = [
        dict(epochs=2, batch_factor=3, num_frames=4),
        dict(epochs=1),
        dict(epochs=1),
    ]
    return base_config(tmp_path, stages=stages)


def test_gradient_accumulation(cfg):
    """The last step of an epoch has fewer batches."""
    cfg.optim_wrapper.accumulative_counts = 4
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    steps = []

    class StepCounter(Hook):

        def before_train(self, runner):
            runner.optim_wrapper.optimizer.register_step_post_hook(
                lambda *args: steps.append(args))

    runner.register_hook(StepCounter())
    runner.train()
    ends = runner.train_loop.first_iters
    lengths = [end - begin for begin, end in zip(ends, ends[1:])]
    assert any(length % 4 for length in lengths)
    assert len(steps) == sum(-(-length // 4) for length in lengths)


@pytest.mark.parametrize('update_buffers', [False, True])
def test_averaged_weights_have_precise_statistics(cfg, tmp_path,
                                                  update_buffers):
    """Checkpoints hold the averages and their statistics."""
    cfg.custom_hooks.append(
        dict(type='EMAHook', momentum=0.5, update_buffers=update_buffers))
    cfg.multigrid.precise_bn = 4
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.train()
    saved = last_weights(tmp_path)
    trained = runner.model.state_dict()
    assert not torch.equal(saved['backbone.conv.weight'],
                           trained['backbone.conv.weight'])
    runner.model.load_state_dict(saved)
    runner.model.train()
    precise = PreciseBN(runner.model)
    last = runner.train_loop.max_epochs - 1
    with torch.no_grad(
    ), runner.train_loop.batches as batches, precise.collect():
        for data in batches.take(last, PRECISE_BN):
            runner.model._run_forward(
                runner.model.data_preprocessor(data, True), mode='loss')
            precise.update()
    bn = runner.model.backbone.bn
    torch.testing.assert_close(bn.running_mean,
                               saved['backbone.bn.running_mean'])
    torch.testing.assert_close(bn.running_var,
                               saved['backbone.bn.running_var'])


def test_bfloat16(cfg, tmp_path):
    """Only training is in bfloat16, and the losses stay close."""
    losses, types = [], {True: set(), False: set()}
    for kind in ('OptimWrapper', 'BFloat16OptimWrapper'):
        cfg.optim_wrapper.type = kind
        cfg.work_dir = str(tmp_path / kind)
        runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
        conv = runner.model.backbone.conv
        if kind != 'OptimWrapper':
            conv.register_forward_hook(lambda module, args, out: types[
                module.training].add(out.dtype))
        runner.train()
        losses.append([entry['loss'] for entry in scalars(tmp_path / kind)])
    assert types == {True: {torch.bfloat16}, False: {torch.float32}}
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], rel=0.1, abs=0.05)
    assert not runner.model.cls_head._forward_hooks
