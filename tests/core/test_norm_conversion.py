"""Convert batch norms that train, and name other layers."""

import sys
from types import ModuleType

import mmcv.cnn  # noqa: F401  registers SyncBN
import pytest
import torch
from mmaction_multigrid.core.batch_norm import (SubBatchNorm, SubBatchNorm3d,
                                                SubSyncBatchNorm,
                                                convert_sub_batch_norm)
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS
from torch import nn


class UsersNorm(nn.BatchNorm3d):
    """Norm of an unknown class."""


def test_conversion_is_in_place_and_touches_nothing_else():
    model = nn.Sequential(
        nn.BatchNorm3d(5), nn.InstanceNorm2d(5),
        nn.Sequential(nn.BatchNorm2d(5)), UsersNorm(5))
    modules, tensors = list(model.modules()), list(
        model.state_dict(keep_vars=True).values())
    layers = convert_sub_batch_norm(model)
    assert layers == [model[0], model[2][0]]
    assert all(a is b for a, b in zip(modules, model.modules()))
    assert all(a is b
               for a, b in zip(tensors,
                               model.state_dict(keep_vars=True).values()))
    assert type(model[3]) is UsersNorm
    assert convert_sub_batch_norm(model) == layers
    assert isinstance(layers[0], SubBatchNorm3d)
    assert isinstance(layers[0], nn.BatchNorm3d)


def test_synchronised_layers_in_one_process_and_in_several():
    for model in (MODELS.build(dict(type='SyncBN',
                                    num_features=5)), nn.SyncBatchNorm(5),
                  revert_sync_batchnorm(nn.Sequential(
                      nn.SyncBatchNorm(5)))[0]):
        assert convert_sub_batch_norm(model) == [model]
        assert isinstance(model, SubSyncBatchNorm)
        assert model.synced


def test_mmcvs_own_synchronised_layer(monkeypatch):
    """The layer of compiled mmcv is no batch norm of torch's."""
    module = ModuleType('mmcv.ops.sync_bn')
    monkeypatch.setitem(sys.modules, module.__name__, module)

    class SyncBatchNorm(nn.Module):

        def __init__(self, like):
            super().__init__()
            for name in ('num_features', 'eps', 'momentum', 'affine',
                         'track_running_stats'):
                setattr(self, name, getattr(like, name))
            self.weight, self.bias = like.weight, like.bias
            for name in ('running_mean', 'running_var', 'num_batches_tracked'):
                self.register_buffer(name, getattr(like, name).clone())

    SyncBatchNorm.__module__ = module.__name__
    stock = nn.BatchNorm3d(5)
    layer = SyncBatchNorm(stock)
    assert convert_sub_batch_norm(nn.Sequential(layer)) == [layer]
    batch = torch.randn(4, 5, 2, 2, 2)
    assert torch.equal(layer(batch), stock(batch))
    assert layer.state_dict().keys() == stock.state_dict().keys()


@pytest.mark.parametrize('splits', [1, 4])
def test_frozen_layers_stay_as_they_are(splits):
    model = nn.Sequential(nn.BatchNorm3d(5)).eval()
    (layer, ) = convert_sub_batch_norm(model)
    layer.num_splits = splits
    model(torch.randn(8, 5, 2, 2, 2) + 3)
    assert isinstance(layer, SubBatchNorm)
    assert torch.equal(layer.running_mean, torch.zeros(5))
