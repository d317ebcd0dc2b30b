"""Train with norm layers that follow the stages, and log the others."""

import copy
from functools import partial
from unittest import mock

import pytest
import torch
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.batch_norm import (SubBatchNorm, SubSyncBatchNorm,
                                                convert_sub_batch_norm,
                                                set_bn_splits)
from mmaction_multigrid.profiling.network import without_weights
from mmaction_multigrid.profiling.start_report import unknown_norms
from mmengine.model import revert_sync_batchnorm
from mmengine.runner import Runner
from torch import nn

from mmaction.registry import MODELS
from ..core.batches import seeded_batches
from ..stock import accepted_configs
from ..toy import SplitsHook, base_config, new_name
from .test_training import log_of


@MODELS.register_module(force=True)
class UsersNorm(nn.BatchNorm3d):
    """Norm of an unknown class."""


def run(tmp_path, norm, **multigrid):
    """Train; return log, splits by batch factor, and the norm layer."""
    cfg = base_config(tmp_path, **multigrid)
    cfg.model.backbone.norm = norm
    cfg.custom_hooks.append(dict(type='SplitsHook'))
    SplitsHook.seen.clear()
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.train()
    return log_of(tmp_path), SplitsHook.seen, runner.model.backbone.bn


def test_synchronised_layers_have_their_base_size(tmp_path):
    """They have the clips of base training's batch."""
    log, found, layer = run(tmp_path, 'SyncBN', bn_base_size=4)
    assert isinstance(layer, SubSyncBatchNorm)
    assert found == {8: 8, 4: 4, 2: 2, 1: 1}
    assert 'BN splits: 8 of 2 clips' in log


def test_an_unknown_class_is_named_in_a_warning(tmp_path):
    with pytest.raises(AttributeError, match='num_splits'):  # of SplitsHook
        run(tmp_path, 'UsersNorm')
    log = log_of(tmp_path)
    assert 'WARNING' in log
    assert "Use torch's or mmcv's classes instead of UsersNorm" in log


def test_a_split_2d_network_is_the_network_on_each_group():
    stock = MODELS.build(dict(type='C2D', depth=50, norm_eval=False)).double()
    stock.train()
    ours = copy.deepcopy(stock)
    set_bn_splits(convert_sub_batch_norm(ours), 2)
    clips = seeded_batches(3, (4, 3, 4, 32, 32))[0].double()
    output = ours(clips)
    for group in (slice(0, 2), slice(2, 4)):
        torch.testing.assert_close(
            output[group], stock(clips[group]), rtol=1e-7, atol=1e-7)


def build_skeleton(config):
    """Build a network on the meta device, as one process trains it."""
    # Its preprocessor may compute something.
    config = {**without_weights(config), 'data_preprocessor': None}
    # Some networks read the rates of their drop paths off a tensor.
    linspace = partial(torch.linspace, device='cpu')
    with torch.device('meta'), mock.patch('torch.linspace', linspace):
        return revert_sync_batchnorm(MODELS.build(config))


@pytest.mark.filterwarnings('ignore:torch.meshgrid:UserWarning')
def test_every_batch_norm_of_every_stock_config_follows_or_is_frozen():
    layers = 0
    assert len(accepted_configs()) == 67
    for name, cfg in accepted_configs().items():
        model = build_skeleton(cfg.model.to_dict())
        convert_sub_batch_norm(model)
        model.train()
        norms = [
            module for module in model.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)
        ]
        assert not unknown_norms(model), name
        assert all(isinstance(module, SubBatchNorm) for module in norms), name
        layers += sum(module.training for module in norms)
    assert layers > 2000
