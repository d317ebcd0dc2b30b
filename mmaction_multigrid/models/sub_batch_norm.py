"""Batch norm whose statistics are over groups of clips of fixed size, whatever the batch (paper, section 3.4)."""

from contextlib import contextmanager
from typing import Iterator, List, Optional

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn


class SubBatchNorm3d(nn.BatchNorm3d):
    """``BatchNorm3d`` that normalises each of ``num_splits`` groups of clips by itself in training.

    It has the parameters and buffers of ``BatchNorm3d`` and no others, so that checkpoints load either way. The
    running statistics are the mean over the groups. With one split it *is* ``BatchNorm3d``, bit for bit; in
    evaluation always. A batch that the splits do not divide uses the next smaller number that does.

    Attributes:
        num_splits (int): Groups in a batch. Defaults to 1.
        process_group (ProcessGroup, optional): Processes that compute the statistics of one group together.
            Defaults to None, which means each for itself.
    """
    num_splits: int = 1
    process_group: Optional['dist.ProcessGroup'] = None

    def forward(self, input: Tensor) -> Tensor:
        """Normalise a batch of shape (N, C, T, H, W)."""
        if not self.training:
            return super().forward(input)
        if self.process_group is not None:
            return self._forward_synchronised(input)
        splits = min(self.num_splits, input.size(0))
        while input.size(0) % splits:
            splits -= 1
        if splits == 1:
            return super().forward(input)
        self._check_input_dim(input)
        size, channels, *rest = input.shape
        mean, var = self._repeat(self.running_mean, splits), self._repeat(self.running_var, splits)
        # Every k-th clip is in the same group: in memory that is the batch itself, seen with k times the channels.
        output = F.batch_norm(
            input.reshape(size // splits, splits * channels, *rest), mean, var, self._repeat(self.weight, splits),
            self._repeat(self.bias, splits), True, self._next_momentum(), self.eps)
        if mean is not None:
            self.running_mean.copy_(mean.view(splits, channels).mean(0))
            self.running_var.copy_(var.view(splits, channels).mean(0))
        return output.reshape(input.shape)

    @staticmethod
    def _repeat(values: Optional[Tensor], splits: int) -> Optional[Tensor]:
        return None if values is None else values.repeat(splits)

    def _next_momentum(self) -> float:
        """Count the batch; the weight of its statistics, as in ``_BatchNorm.forward``."""
        if not self.track_running_stats or self.num_batches_tracked is None:
            return 0. if self.momentum is None else self.momentum
        self.num_batches_tracked.add_(1)
        return 1. / float(self.num_batches_tracked) if self.momentum is None else self.momentum

    def _forward_synchronised(self, input: Tensor) -> Tensor:
        """Batch norm over the joint batch of the processes in the group; sums are in float32 at the least."""
        self._check_input_dim(input)
        values = input if input.dtype == torch.float64 else input.float()
        dims = [0, *range(2, input.dim())]
        count = values.new_full((1, ), values.numel() / values.size(1))
        sums = torch.cat([values.sum(dims), values.square().sum(dims), count])
        sums = _AllReduce.apply(sums, self.process_group)
        channels, count = values.size(1), sums[-1].detach()
        mean = sums[:channels] / count
        var = (sums[channels:-1] / count - mean.square()).clamp_min(0)
        if self.track_running_stats:
            momentum = self._next_momentum()
            unbiased = var.detach() * (count / (count - 1).clamp_min(1))
            self.running_mean.lerp_(mean.detach().to(self.running_mean.dtype), momentum)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), momentum)
        scale = torch.rsqrt(var + self.eps)
        if self.affine:
            scale = scale * self.weight
        shift = -mean * scale if not self.affine else self.bias - mean * scale
        view = (1, channels, *[1] * (input.dim() - 2))
        return (values * scale.view(view) + shift.view(view)).to(input.dtype)


class _AllReduce(torch.autograd.Function):
    """Sum over processes, of the gradient too; with gloo and with NCCL."""

    @staticmethod
    def forward(ctx, values: Tensor, group) -> Tensor:
        ctx.group = group
        values = values.clone()
        dist.all_reduce(values, group=group)
        return values

    @staticmethod
    def backward(ctx, grad: Tensor):
        grad = grad.contiguous().clone()
        dist.all_reduce(grad, group=ctx.group)
        return grad, None


def convert_sub_batch_norm(model: nn.Module) -> List[SubBatchNorm3d]:
    """Turn every ``BatchNorm3d`` of a model into a :class:`SubBatchNorm3d`, in place: same module, same tensors.

    Subclasses of ``BatchNorm3d`` other than those that mmcv and mmengine put in its place are left alone.

    Returns:
        list: The layers, those converted before among them.
    """
    layers = []
    for module in model.modules():
        if type(module) is nn.BatchNorm3d:
            module.__class__ = SubBatchNorm3d
        if isinstance(module, SubBatchNorm3d):
            layers.append(module)
    return layers


def set_bn_splits(layers: List[SubBatchNorm3d], num_splits: int, process_group=None) -> None:
    """Set the number of splits, and the processes that share statistics, of all layers.

    Raises:
        ValueError: ``num_splits`` is not a positive integer.
    """
    if isinstance(num_splits, bool) or not isinstance(num_splits, int) or num_splits < 1:
        raise ValueError(f'num_splits = {num_splits!r}: must be an integer of at least 1')
    for layer in layers:
        layer.num_splits = num_splits
        layer.process_group = process_group


@contextmanager
def whole_batches(model: nn.Module) -> Iterator[None]:
    """Inside the ``with`` block, statistics are over whole batches.

    The splits are those of a stage's own batch; another batch, such as the base batch of precise BN, they would
    cut into groups too small to have a variance between clips.
    """
    layers = [module for module in model.modules() if isinstance(module, SubBatchNorm3d)]
    saved = [layer.num_splits for layer in layers]
    for layer in layers:
        layer.num_splits = 1
    try:
        yield
    finally:
        for layer, num_splits in zip(layers, saved):
            layer.num_splits = num_splits
