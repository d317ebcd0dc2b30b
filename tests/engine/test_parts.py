"""Raise errors of loop, lr and hooks."""

import copy

import pytest
import torch
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.hook import MultigridHook, group_ranks
from mmaction_multigrid.core.lr import MultigridLR
from mmaction_multigrid.core.precise_bn import PreciseBNHook
from mmengine.runner import Runner

from mmaction.registry import MODELS
from ..toy import base_config, new_name

STOCK_LOOP = {
    'train_cfg': dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=9),
    'default_hooks.checkpoint.type': 'CheckpointHook'
}


@pytest.mark.parametrize(('change', 'error', 'message'), [
    ({
        'train_dataloader.batch_sampler': None
    }, TypeError, 'MultigridBatchSampler'),
    ({
        'train_cfg.max_epochs': 5
    }, ValueError, r'train_cfg\.max_epochs = 5: .* 9 epochs'),
    ({
        'train_cfg.eval_freq': 0
    }, ValueError, r'train_cfg\.eval_freq = 0'),
    (STOCK_LOOP, TypeError, 'MultigridTrainLoop'),
    ({
        **STOCK_LOOP, 'custom_hooks': []
    }, RuntimeError, 'MultigridTrainLoop'),
])
def test_impossible_resolved_configs(tmp_path, change, error, message):
    cfg = new_name(apply_multigrid(base_config(tmp_path)))
    cfg.merge_from_dict(copy.deepcopy(change))
    with pytest.raises(error, match=message):
        Runner.from_cfg(cfg).train()


def optimizer():
    return torch.optim.SGD([
        dict(params=[torch.zeros(1)], lr=0.1),
        dict(params=[torch.zeros(1)], lr=0.02)
    ])


@pytest.mark.parametrize('points', [
    [],
    [(1, 1.)],
    [(0, 1.), (0, 2.)],
    [(0, 1.), (3, 1.), (2, 1.)],
])
def test_points_must_rise_from_zero(points):
    with pytest.raises(ValueError, match='points'):
        MultigridLR(optimizer(), points=points)


@pytest.mark.parametrize('value', [0, True, 2.5])
def test_impossible_hook_settings(value):
    with pytest.raises(ValueError, match='bn_base_size'):
        MultigridHook(bn_base_size=value)
    with pytest.raises(ValueError, match='num_batches'):
        PreciseBNHook((8, 16), num_batches=value)


@pytest.mark.parametrize(('processes', 'size', 'expected'),
                         [(8, 4, [[0, 1, 2, 3], [4, 5, 6, 7]]),
                          (6, 4, [[0, 1, 2, 3, 4, 5]]), (2, 8, [[0, 1]])])
def test_groups_of_ranks(processes, size, expected):
    assert group_ranks(processes, size) == expected


@MODELS.register_module()
class Unpadded(torch.nn.Conv3d):
    """Backbone that needs three frames."""

    def __init__(self):
        super().__init__(3, 4, (3, 1, 1))


def test_clips_too_small_for_a_network(tmp_path):
    cfg = base_config(tmp_path)
    cfg.model.backbone = dict(type='Unpadded')
    with pytest.raises(
            ValueError,
            match='clips of 2 frames x 8 pixels are '
            'too small for the network .*, which takes 4 x 8, '):
        Runner.from_cfg(new_name(apply_multigrid(cfg))).train()
