"""Loop, lr and hooks refuse what cannot work, and say why."""

from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.runner import Runner

from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.config.curve_lr import MultigridCurveLR
from mmaction_multigrid.core.hook import MultigridHook
from mmaction_multigrid.core.lr import MultigridLR
from mmaction_multigrid.core.precise_bn import PreciseBNHook
from mmaction_multigrid.core.hook import group_ranks

from ..toy import base_config, new_name


def resolved(tmp_path):
    return new_name(apply_multigrid(base_config(tmp_path)))


def test_a_loop_without_stages(tmp_path):
    cfg = resolved(tmp_path)
    cfg.train_dataloader.pop('batch_sampler')
    with pytest.raises(TypeError, match='MultigridBatchSampler'):
        Runner.from_cfg(cfg).train()


def test_a_loop_of_other_epochs_than_its_stages(tmp_path):
    cfg = resolved(tmp_path)
    cfg.train_cfg.max_epochs = 5
    with pytest.raises(ValueError, match=r'train_cfg\.max_epochs = 5: .* 9 epochs'):
        Runner.from_cfg(cfg).train()


def test_an_impossible_eval_freq(tmp_path):
    cfg = resolved(tmp_path)
    cfg.train_cfg.eval_freq = 0
    with pytest.raises(ValueError, match=r'train_cfg\.eval_freq = 0'):
        Runner.from_cfg(cfg).train()


def test_the_stock_loop_has_no_clock(tmp_path):
    cfg = resolved(tmp_path)
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=9)
    cfg.default_hooks.checkpoint.type = 'CheckpointHook'
    with pytest.raises(TypeError, match='MultigridTrainLoop'):
        Runner.from_cfg(cfg).train()


def test_an_lr_without_its_loop(tmp_path):
    cfg = resolved(tmp_path)
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=9)
    cfg.default_hooks.checkpoint.type = 'CheckpointHook'
    cfg.custom_hooks = []
    with pytest.raises(RuntimeError, match='MultigridTrainLoop'):
        Runner.from_cfg(cfg).train()


def loop(epoch_at):
    """A loop that starts, with two batches in an epoch of base training."""
    sampler = SimpleNamespace(num_clips=4, batch_size=2)
    return SimpleNamespace(epoch_at=epoch_at, iter=0, batch_sampler=sampler)


def optimizer():
    return torch.optim.SGD([dict(params=[torch.zeros(1)], lr=0.1), dict(params=[torch.zeros(1)], lr=0.02)])


def test_lr_of_every_group_follows_the_clock():
    groups = optimizer()
    lr = MultigridLR(groups, points=[(0, 4.), (1, 1.)], warmup_epochs=0.5, warmup_factor=0.5)
    assert [g['lr'] for g in groups.param_groups] == [0.05, 0.01]
    lr.follow(loop(lambda iteration: iteration / 4))
    seen = []
    for _ in range(6):
        seen.append([round(g['lr'], 12) for g in groups.param_groups])
        groups.step()
        lr.step()
    # 0, 1/4, 1/2, ... epochs: half way up the warm-up at 1/4, at 4 times from 1/2, at 1 from epoch 1.
    assert seen == [[0.05, 0.01], [0.225, 0.045], [0.4, 0.08], [0.4, 0.08], [0.1, 0.02], [0.1, 0.02]]
    assert set(lr.state_dict()) == {'last_step', '_global_step', '_last_value', 'base_values'}


@pytest.mark.parametrize('points', [[], [(1, 1.)], [(0, 1.), (0, 2.)], [(0, 1.), (3, 1.), (2, 1.)]])
def test_points_must_rise_from_zero(points):
    with pytest.raises(ValueError, match='points'):
        MultigridLR(optimizer(), points=points)


def test_a_smallest_lr_is_the_same_for_every_group():
    """As mmengine has it: eta_min is an lr, not a share of the group's."""
    groups = optimizer()
    warmup = dict(type='LinearLR', start_factor=0.5, end=1, convert_to_iter_based=True)
    base = dict(schedulers=[warmup, dict(type='PolyLR', eta_min=0.01)], max_epochs=4, warmup=0)
    lr = MultigridCurveLR(groups, points=[(0, 2.)], base=base, clock=[(0, 8, 0., 4.)])
    lr.follow(loop(lambda iteration: iteration / 2))
    seen = []
    for _ in range(16):
        seen.append([g['lr'] for g in groups.param_groups])
        groups.step()
        lr.step()
    # Of four epochs, the last of which has the smallest lr: one, two thirds, a third and nothing of what is above it.
    assert seen[2::4] == [[pytest.approx(2 * (0.01 + share * (top - 0.01))) for top in (0.1, 0.02)]
                          for share in (1, 2 / 3, 1 / 3, 0)]


@pytest.mark.parametrize('value', [0, -1, True, 2.5])
def test_impossible_hook_settings(value):
    with pytest.raises(ValueError, match='bn_base_size'):
        MultigridHook(bn_base_size=value)
    with pytest.raises(ValueError, match='num_batches'):
        PreciseBNHook((8, 16), num_batches=value)


def test_groups_that_share_statistics():
    assert group_ranks(8, 4) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert group_ranks(6, 4) == [[0, 1, 2, 3, 4, 5]]
    assert group_ranks(2, 8) == [[0, 1]]


@MODELS.register_module()
class Unpadded(torch.nn.Conv3d):
    """A backbone that needs three frames."""

    def __init__(self):
        super().__init__(3, 4, (3, 1, 1))


def test_a_network_that_cannot_take_the_smallest_clips(tmp_path):
    cfg = base_config(tmp_path)
    cfg.model.backbone = dict(type='Unpadded')
    with pytest.raises(ValueError, match='clips of 2 frames x 8 pixels are '
                       'too small for backbone .* 4 frames are enough'):
        Runner.from_cfg(new_name(apply_multigrid(cfg))).train()
