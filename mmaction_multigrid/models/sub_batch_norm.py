"""Batch norm whose statistics are over groups of clips of fixed size, whatever the batch (paper, section 3.4)."""

from typing import Optional

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules._functions import SyncBatchNorm as synchronised_batch_norm
from torch.nn.modules.batchnorm import _BatchNorm


class SubBatchNorm(_BatchNorm):
    """Batch norm that normalises each of ``num_splits`` groups of clips by itself in training.

    It has the parameters and buffers of the layer whose place it takes and no others, so that checkpoints load either
    way. The running statistics are the mean over the groups. With one split it *is* that layer, bit for bit; in
    evaluation always. A batch that the splits do not divide uses the next smaller number that does.

    Rows of an input of five dimensions are clips, of which every k-th is in the same group. Of others they may be the
    frames of a clip, one after the other: there a group is made of neighbours.

    Attributes:
        num_splits (int): Groups in a batch. Defaults to 1.
        process_group (ProcessGroup, optional): Processes that compute the statistics of one group together.
            Defaults to None, which means each for itself.
        across_processes (bool): Whether base training computes its statistics over all processes.
    """
    num_splits: int = 1
    process_group: Optional['dist.ProcessGroup'] = None
    across_processes: bool = False

    def forward(self, input: Tensor) -> Tensor:
        """Normalise a batch of shape (N, C, ...)."""
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
        mean, var = _repeat(self.running_mean, splits), _repeat(self.running_var, splits)
        output = F.batch_norm(
            _split(input, splits), mean, var, _repeat(self.weight, splits), _repeat(self.bias, splits), True,
            self._next_momentum(), self.eps)
        if mean is not None:
            self.running_mean.copy_(mean.view(splits, -1).mean(0))
            self.running_var.copy_(var.view(splits, -1).mean(0))
        return _join(output, splits)

    def _next_momentum(self) -> float:
        """Count the batch; the weight of its statistics, as in ``_BatchNorm.forward``."""
        if not self.track_running_stats or self.num_batches_tracked is None:
            return 0. if self.momentum is None else self.momentum
        self.num_batches_tracked.add_(1)
        return 1. / float(self.num_batches_tracked) if self.momentum is None else self.momentum

    def _forward_synchronised(self, input: Tensor) -> Tensor:
        """Batch norm over the joint batch of the processes in the group."""
        self._check_input_dim(input)
        if input.is_cuda:  # torch's own kernels, which know half precision and make no copy in float32
            return synchronised_batch_norm.apply(
                input, self.weight, self.bias, self.running_mean, self.running_var, self.eps,
                self._next_momentum(), self.process_group, dist.get_world_size(self.process_group))
        return self._forward_reduced(input)

    def _forward_reduced(self, input: Tensor) -> Tensor:
        """The same by an all-reduce of sums, which runs on CPUs too; sums are in float32 at the least."""
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


class SubBatchNorm1d(SubBatchNorm, nn.BatchNorm1d):
    """:class:`SubBatchNorm` in the place of ``BatchNorm1d``."""


class SubBatchNorm2d(SubBatchNorm, nn.BatchNorm2d):
    """:class:`SubBatchNorm` in the place of ``BatchNorm2d``."""


class SubBatchNorm3d(SubBatchNorm, nn.BatchNorm3d):
    """:class:`SubBatchNorm` in the place of ``BatchNorm3d``."""


class SubSyncBatchNorm(SubBatchNorm):
    """:class:`SubBatchNorm` in the place of a synchronised batch norm, or of what mmengine makes of one in one process.

    Its groups have as many clips as the joint batch of all processes has in base training.
    """
    across_processes = True

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions, as there."""


def _repeat(values: Optional[Tensor], splits: int) -> Optional[Tensor]:
    return None if values is None else values.repeat(splits)


def _split(input: Tensor, splits: int) -> Tensor:
    """Put the groups of a batch side by side in the channels: (N, C, ...) to (N / splits, splits * C, ...)."""
    if input.dim() == 5:  # in memory that is the batch itself
        return input.reshape(input.size(0) // splits, splits * input.size(1), *input.shape[2:])
    return input.unflatten(0, (splits, -1)).transpose(0, 1).flatten(1, 2)


def _join(output: Tensor, splits: int) -> Tensor:
    """The reverse of :func:`_split`."""
    if output.dim() == 5:
        return output.reshape(output.size(0) * splits, -1, *output.shape[2:])
    return output.unflatten(1, (splits, -1)).transpose(0, 1).flatten(0, 1)


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
