"""Compare interpolated position embeddings with stock networks."""

import copy

import pytest
import torch
from mmaction_multigrid import (PositionRule, PositionTable,
                                register_position_rule)
from mmaction_multigrid.models import positions
from mmaction_multigrid.models.positions import (InterpolatedPosEmbed,
                                                 interpolate_pos_embeds)
from torch import nn

from ..transformers import BASE, NETWORKS, build, noise

COARSE = [(8, 32), (2, 48)]


def built_for(name, frames, crop, source):
    """Build a stock network of another clip shape with the same weights."""
    other = build(name, frames, crop)
    state = dict(source.state_dict())
    for key, wanted in other.state_dict().items():
        if state[key].shape == wanted.shape:
            continue
        rows = state[key].reshape(-1, wanted.shape[-1]).float()
        count = wanted.numel() // wanted.shape[-1]
        if 'time' in key:  # (t, c): linear
            rows = nn.functional.interpolate(
                rows.T[None], count, mode='linear')[0].T
        else:
            # 4 x 4 patches in the base network, and perhaps a class token.
            extra = rows[:len(rows) % 4]
            rows = rows[len(extra):].reshape(-1, 16, rows.shape[-1])
            side = crop // 16
            rows = rows.reshape(-1, 4, 4, rows.shape[-1]).permute(0, 3, 1, 2)
            rows = nn.functional.interpolate(
                rows, (side, side), mode='bicubic', antialias=True)
            new = count // side**2
            if new != len(rows):
                flat = nn.functional.interpolate(
                    rows.flatten(1).T[None], new, mode='linear')[0].T
                rows = flat.reshape(new, *rows.shape[1:])
            rows = torch.cat(
                (extra, rows.permute(0, 2, 3, 1).reshape(-1,
                                                         wanted.shape[-1])))
        state[key] = rows.reshape(wanted.shape)
    other.load_state_dict(state)
    return other.eval()


@pytest.fixture(params=[
    name for name in NETWORKS
    if NETWORKS[name]['type'] in ('TimeSformer', 'UniFormerV2',
                                  'VisionTransformer')
])
def name(request):
    return request.param


def test_the_base_shape_equals_the_stock_network(name):
    """Compare outputs and gradients bit by bit, twice."""
    stock = build(name)
    ours = copy.deepcopy(stock)
    assert interpolate_pos_embeds(ours) == interpolate_pos_embeds(ours) == ['']
    assert list(ours.state_dict()) == list(stock.state_dict())
    clips = noise(*BASE)
    for _ in range(2):
        results = []
        for network in (stock, ours):
            network.train().zero_grad()
            torch.manual_seed(1)
            results.append(network(clips))
            results[-1].square().sum().backward()
        assert torch.equal(*results)
        for a, b in zip(stock.parameters(), ours.parameters()):
            assert (a.grad is None and b.grad is None) or torch.equal(
                a.grad, b.grad)
        ours(noise(4, 32))


@pytest.mark.parametrize(('frames', 'crop'), COARSE)
def test_coarse_shapes_equal_a_network_built_for_them(name, frames, crop):
    stock = build(name)
    ours = copy.deepcopy(stock).eval()
    interpolate_pos_embeds(ours)
    native = built_for(name, frames, crop, stock)
    clips = noise(frames, crop)
    torch.testing.assert_close(
        ours(clips), native(clips), rtol=1e-5, atol=1e-5)


def test_the_stored_table_gets_gradients(name):
    """Each row is a part of some token's embedding."""
    ours = build(name).train()
    interpolate_pos_embeds(ours)
    ours(noise(4, 32)).square().sum().backward()
    for key in ('pos_embed', 'time_embed', 'positional_embedding'):
        if key in ours._parameters:
            grad = ours._parameters[key].grad
            assert (grad.abs().sum(-1) > 0).all()


def test_a_copy_is_independent(name):
    """EMAHook makes such copies."""
    ours = build(name).eval()
    interpolate_pos_embeds(ours)
    clips = noise(*BASE)
    expected = ours(clips)
    twin = copy.deepcopy(ours)
    twin(noise(2, 32))
    assert torch.equal(ours(clips), expected)
    assert torch.equal(twin(clips), expected)


def test_a_users_network_needs_a_rule(monkeypatch):

    class Own(nn.Module):

        def __init__(self):
            super().__init__()
            self.patches = nn.Conv3d(3, 4, (2, 8, 8), (2, 8, 8))
            self.pos_embedding = nn.Parameter(torch.randn(1, 2 * 2 * 2, 4))

        def forward(self, x):
            return (self.patches(x).flatten(2).transpose(1, 2) +
                    self.pos_embedding)

    monkeypatch.setattr(positions, '_RULES', dict(positions._RULES))
    with pytest.raises(
            ValueError,
            match=r'backbone\.pos_embedding of Own: .*register_position_rule'):
        interpolate_pos_embeds(nn.ModuleDict(dict(backbone=Own())))
    register_position_rule(
        'Own',
        PositionRule('patches', lambda module: (2, 2, 2),
                     dict(pos_embedding=PositionTable('thw'))))
    network = nn.ModuleDict(dict(backbone=Own()))
    assert interpolate_pos_embeds(network) == ['backbone']
    assert isinstance(network.backbone, InterpolatedPosEmbed)
    assert network.backbone(torch.zeros(1, 3, 2, 8, 8)).shape == (1, 1, 4)
    register_position_rule('Own', None)
    assert interpolate_pos_embeds(Own()) == []
    with pytest.raises(TypeError, match='must be a PositionRule'):
        register_position_rule('Own', 'thw')
    # MViT interpolates by itself.
    assert interpolate_pos_embeds(build('mvit')) == []
