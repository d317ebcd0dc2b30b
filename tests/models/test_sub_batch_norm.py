"""Sub-batch norm: BatchNorm3d on every group, BatchNorm3d's state, BatchNorm3d itself with one split."""

import pytest
import torch
from torch import nn

from mmaction_multigrid.models import SubBatchNorm3d, convert_sub_batch_norm, set_bn_splits, whole_batches

from ..toy import seeded_batches

OPTIONS = [dict(), dict(affine=False), dict(momentum=None), dict(track_running_stats=False), dict(eps=1e-2)]


def pair(splits, **options):
    """A BatchNorm3d and a SubBatchNorm3d with the same, unusual, state."""
    layers = []
    for _ in range(2):
        torch.manual_seed(3)
        layer = nn.BatchNorm3d(5, **options).double()
        for tensor in (*layer.parameters(), *([layer.running_mean, layer.running_var] if layer.running_var is not None
                                              else [])):
            nn.init.uniform_(tensor, 0.5, 1.5)
        layers.append(layer)
    convert_sub_batch_norm(layers[1])
    layers[1].num_splits = splits
    return layers


def clips(count=8, seed=0):
    return seeded_batches(seed, (count, 5, 2, 3, 3))[0].double() * 2 + 1


@pytest.mark.parametrize('options', OPTIONS, ids=str)
def test_one_split_is_batch_norm_bit_for_bit(options):
    stock, ours = pair(1, **options)
    for seed in range(3):
        inputs = [clips(seed=seed).requires_grad_() for _ in range(2)]
        outputs = [layer(x) for layer, x in zip((stock, ours), inputs)]
        assert torch.equal(*outputs)
        for output in outputs:
            output.square().sum().backward()
        assert torch.equal(inputs[0].grad, inputs[1].grad)
    assert stock.state_dict().keys() == ours.state_dict().keys()
    for key, value in stock.state_dict().items():
        assert torch.equal(value, ours.state_dict()[key])


@pytest.mark.parametrize('splits', [2, 4, 8])
@pytest.mark.parametrize('options', OPTIONS, ids=str)
def test_each_group_is_normalised_by_itself(splits, options):
    stock, ours = pair(splits, **options)
    x, y = clips().requires_grad_(), clips().requires_grad_()
    output = ours(x)
    expected, means, variances = torch.empty_like(output), [], []
    for group in range(splits):
        single, _ = pair(1, **options)
        expected[group::splits] = single(y[group::splits])
        means.append(single.running_mean)
        variances.append(single.running_var)
    torch.testing.assert_close(output, expected)
    output.sin().sum().backward()
    expected.sin().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    if ours.track_running_stats:
        torch.testing.assert_close(ours.running_mean, torch.stack(means).mean(0))
        torch.testing.assert_close(ours.running_var, torch.stack(variances).mean(0))
        assert ours.num_batches_tracked == 1


def test_evaluation_is_batch_norms():
    stock, ours = pair(4)
    assert torch.equal(stock.eval()(clips()), ours.eval()(clips()))


@pytest.mark.parametrize(('clips_in_batch', 'used'), [(6, 3), (7, 1), (9, 3), (2, 2), (8, 4)])
def test_a_batch_that_the_splits_do_not_divide(clips_in_batch, used):
    _, ours = pair(4)
    _, expected = pair(used)
    assert torch.equal(ours(clips(clips_in_batch)), expected(clips(clips_in_batch)))


def test_conversion_is_in_place_and_touches_nothing_else():
    class UsersNorm(nn.BatchNorm3d):
        pass

    model = nn.Sequential(nn.BatchNorm3d(5), nn.BatchNorm2d(5), nn.Sequential(nn.BatchNorm3d(5)), UsersNorm(5))
    modules, tensors = list(model.modules()), list(model.state_dict(keep_vars=True).values())
    layers = convert_sub_batch_norm(model)
    assert layers == [model[0], model[2][0]]
    assert all(a is b for a, b in zip(modules, model.modules()))
    assert all(a is b for a, b in zip(tensors, model.state_dict(keep_vars=True).values()))
    assert type(model[3]) is UsersNorm
    assert convert_sub_batch_norm(model) == layers
    assert isinstance(layers[0], SubBatchNorm3d)
    assert isinstance(layers[0], nn.BatchNorm3d)


def test_checkpoints_load_either_way():
    stock, ours = pair(4)
    ours(clips())
    stock.load_state_dict(ours.state_dict(), strict=True)
    assert torch.equal(stock.eval()(clips()), ours.eval()(clips()))
    ours.load_state_dict(stock.state_dict(), strict=True)


def test_splits_are_set_on_all_layers():
    model = nn.Sequential(nn.BatchNorm3d(5), nn.BatchNorm3d(5))
    set_bn_splits(convert_sub_batch_norm(model), 4)
    assert [layer.num_splits for layer in model] == [4, 4]


def test_whole_batches_for_a_while():
    stock, ours = pair(4)
    with pytest.raises(KeyboardInterrupt), whole_batches(ours):
        assert torch.equal(stock(clips()), ours(clips()))
        raise KeyboardInterrupt
    assert ours.num_splits == 4


@pytest.mark.parametrize('splits', [0, -1, 2., True, None])
def test_impossible_splits(splits):
    with pytest.raises(ValueError, match='num_splits'):
        set_bn_splits([], splits)


def test_wrong_dimensions():
    _, ours = pair(2)
    with pytest.raises(ValueError, match='5D'):
        ours(torch.zeros(4, 5, 3, 3, dtype=torch.double))
