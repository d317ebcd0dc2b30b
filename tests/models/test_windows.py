"""Check VideoSwin's biases in windows smaller than its tables."""

import copy
from itertools import product

import pytest
import torch
from mmaction_multigrid.models.positions import interpolate_pos_embeds
from mmengine.registry import init_default_scope

from mmaction.models.backbones.swin import SwinTransformerBlock3D
from ..transformers import BASE, build, noise

# Of stock code.
pytestmark = [
    pytest.mark.filterwarnings(f'ignore:{text}')
    for text in ('torch.meshgrid', 'torch.utils.checkpoint')
]


def offsets_of(rows, full):
    """Return the offset (t, h, w) of every row of a bias table."""
    names = list(product(*(range(1 - size, size) for size in full)))
    return [names[row] for row in rows]


def pairs_of(window):
    """Return the offsets of all pairs of positions of a window."""
    places = list(product(*map(range, window)))
    return [
        tuple(a - b for a, b in zip(one, other)) for one in places
        for other in places
    ]


@pytest.mark.parametrize('window', [(8, 5, 5), (2, 4, 4), (8, 7, 7)])
def test_every_pair_has_the_bias_of_its_offset(window):
    full = (8, 7, 7)
    block = SwinTransformerBlock3D(4, 1, full)
    interpolate_pos_embeds(block)
    block(torch.zeros(1, *window, 4), None)
    count = window[0] * window[1] * window[2]
    rows = block.attn.relative_position_index[:count, :count].flatten()
    assert offsets_of(rows.tolist(), full) == pairs_of(window)


def test_full_and_shorter_windows_equal_the_stock_network():
    init_default_scope('mmaction')
    stock = build('swin')
    ours = copy.deepcopy(stock)
    names = interpolate_pos_embeds(ours)
    assert len(names) == 4 and names == interpolate_pos_embeds(ours)
    assert list(ours.state_dict()) == list(stock.state_dict())
    # 64 pixels are 16 x 16 and 8 x 8 positions, both above the window; 2
    # frames are one position.
    for frames, crop in (BASE, (2, 64), BASE):
        clips = noise(frames, crop)
        assert torch.equal(ours(clips), stock(clips))
    assert not torch.equal(ours(noise(8, 16)), stock(noise(8, 16)))
    stock.load_state_dict(ours.state_dict(), strict=True)
    ours.load_state_dict(stock.state_dict(), strict=True)


@pytest.mark.parametrize('with_cp', [False, True])
def test_coarse_shapes_equal_a_smaller_window(with_cp):
    """A native block of a smaller window that has the biases of its offsets.

    Gradients reach the offsets that occur and no others, with activation
    checkpointing too, which runs the block again when it goes back.
    """
    torch.manual_seed(0)
    full, window = (4, 7, 7), (4, 5, 5)
    ours = SwinTransformerBlock3D(8, 2, full, with_cp=with_cp)
    native = SwinTransformerBlock3D(8, 2, window)
    state = ours.state_dict()
    rows = {
        offset: row
        for row, offset in enumerate(offsets_of(range(7 * 13 * 13), full))
    }
    kept = [rows[offset] for offset in offsets_of(range(7 * 9 * 9), window)]
    table = 'attn.relative_position_bias_table'
    state[table] = state[table][kept]
    index = 'attn.relative_position_index'
    state[index] = native.state_dict()[index]
    native.load_state_dict(state)
    interpolate_pos_embeds(ours)
    x = torch.randn(2, *window, 8, requires_grad=True)
    output, expected = ours.eval()(x, None), native.eval()(x, None)
    torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5)
    output.square().sum().backward()
    used = ours.attn.relative_position_bias_table.grad.abs().sum(1).nonzero()
    assert set(offsets_of(used.flatten().tolist(),
                          full)) == set(pairs_of(window))
