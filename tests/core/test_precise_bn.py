"""Compare precise BN with the statistics of all clips at once."""

import pytest
import torch
from mmaction_multigrid.core.precise_bn import PreciseBN
from torch import nn

from .batches import seeded_batches


def batches(count=5):
    return [
        x * (i + 1) + i
        for i, x in enumerate(seeded_batches(0, *[(8, 4, 2, 6, 6)] * count))
    ]


def collect(layer, data):
    precise = PreciseBN(layer)
    with torch.no_grad(), precise.collect():
        for batch in data:
            layer(batch)
            precise.update()
    return precise


def test_statistics_of_the_population():
    layer, data = nn.BatchNorm3d(4), batches()
    assert collect(layer, data).count == 5
    everything = torch.cat(data).transpose(0, 1).flatten(1)
    torch.testing.assert_close(layer.running_mean, everything.mean(1))
    # Batch variances are unbiased ones, hence 1 / (n - 1) of a difference.
    torch.testing.assert_close(
        layer.running_var,
        everything.var(1, unbiased=False),
        rtol=5e-3,
        atol=0)
    assert layer.momentum == 0.1
    assert layer.num_batches_tracked == 0


def test_frozen_layers_and_layers_without_statistics_are_left_alone():
    model = nn.Sequential(
        nn.BatchNorm3d(4), nn.BatchNorm3d(4),
        nn.BatchNorm3d(4, track_running_stats=False))
    model[1].eval()
    before = model[1].running_mean.clone()
    precise = collect(model, batches())
    assert precise.layers == [model[0]]
    assert torch.equal(model[1].running_mean, before)


def test_an_error_or_no_batch_keeps_the_statistics():
    layer = nn.BatchNorm3d(4)
    precise = PreciseBN(layer)
    with pytest.raises(KeyError), torch.no_grad(), precise.collect():
        layer(batches()[0])
        precise.update()
        raise KeyError
    collect(layer, [])
    assert torch.equal(layer.running_mean, torch.zeros(4))
    assert torch.equal(layer.running_var, torch.ones(4))
    assert layer.momentum == 0.1
