"""Compare sub-batch norm with batch norm on every group of clips."""

import pytest
import torch
from mmaction_multigrid.core.batch_norm import convert_sub_batch_norm
from mmaction_multigrid.core.hook import bn_groups
from mmengine.model.utils import _BatchNormXd
from torch import nn

from .batches import seeded_batches

OPTIONS = [
    dict(),
    dict(affine=False),
    dict(momentum=None),
    dict(track_running_stats=False),
    dict(eps=1e-2),
]


def pair(splits, **options):
    """Build a BatchNorm3d and a SubBatchNorm3d of the same random state."""
    layers = []
    for _ in range(2):
        torch.manual_seed(3)
        layer = nn.BatchNorm3d(5, **options).double()
        for tensor in (*layer.parameters(),
                       *([layer.running_mean, layer.running_var]
                         if layer.running_var is not None else [])):
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
        torch.testing.assert_close(ours.running_mean,
                                   torch.stack(means).mean(0))
        torch.testing.assert_close(ours.running_var,
                                   torch.stack(variances).mean(0))
        assert ours.num_batches_tracked == 1


def test_evaluation_is_as_with_batch_norm():
    stock, ours = pair(4)
    assert torch.equal(stock.eval()(clips()), ours.eval()(clips()))


@pytest.mark.parametrize(('clips_in_batch', 'used'), [(6, 3), (7, 1), (9, 3),
                                                      (2, 2), (8, 4)])
def test_splits_that_do_not_divide_a_batch(clips_in_batch, used):
    _, ours = pair(4)
    _, expected = pair(used)
    assert torch.equal(
        ours(clips(clips_in_batch)), expected(clips(clips_in_batch)))


def frames(clips_in_batch=4, frames_in_clip=3, seed=0):
    """Make the frames of a batch of clips, as a 2D network gets them."""
    return seeded_batches(seed, (clips_in_batch * frames_in_clip, 5, 4,
                                 4))[0].double()


@pytest.mark.parametrize(('layer', 'inputs'), [
    (nn.BatchNorm2d, frames()),
    (nn.BatchNorm1d, frames().flatten(2)),
    (nn.BatchNorm1d, frames()[..., 0, 0]),
    (_BatchNormXd, frames()),
    (nn.SyncBatchNorm, frames()),
])
def test_a_group_of_frames_is_made_of_whole_clips(layer, inputs):
    ours = layer(5).double()
    single = _BatchNormXd(5).double()
    assert convert_sub_batch_norm(ours) == [ours]
    ours.num_splits = 2
    x, y = inputs.clone().requires_grad_(), inputs.clone().requires_grad_()
    output = ours(x)
    expected = torch.cat([single(y[:6]), single(y[6:])
                          ])  # the first two clips, and the others
    torch.testing.assert_close(output, expected)
    output.sin().sum().backward()
    expected.sin().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(ours.running_mean,
                               inputs.mean([0, *range(2, inputs.dim())]) * 0.1)


@pytest.mark.parametrize(('layer', 'shape'), [(nn.BatchNorm1d, (8, 5)),
                                              (nn.BatchNorm2d, (8, 5, 2, 2))])
def test_one_split_is_each_kind_bit_for_bit(layer, shape):
    stock, ours = layer(5), layer(5)
    convert_sub_batch_norm(ours)
    batch = seeded_batches(1, shape)[0]
    assert torch.equal(stock(batch), ours(batch))
    assert torch.equal(stock.running_var, ours.running_var)
    for ours.num_splits in (1, 2):
        with pytest.raises(ValueError, match='expected'):
            ours(batch[None, None, None])


@pytest.mark.parametrize(
    ('batch', 'clips', 'processes', 'expected'),
    [
        (16, 8, 1, (2, 1)),
        (15, 8, 1, (1, 1)),  # splits are rounded down
        (12, 8, 1, (1, 1)),
        (14, 4, 1, (2, 1)),  # and divide the batch
        (4, 8, 4, (1, 2)),
        (3, 8, 4, (1, 3)),
        (3, 8, 2, (1, 2)),
        (4, 8, 1, (1, 1)),
        (64, 64, 8, (1, 1)),
        (8, 64, 8, (1, 8)),
        (128, 64, 8, (2, 1)),
    ])
def test_groups_of_clips_and_processes(batch, clips, processes, expected):
    assert bn_groups(batch, clips, processes) == expected
