"""Batch norm over groups of a fixed number of clips (paper, section 3.4)."""

from typing import Dict, Iterator, List, Optional

import torch
import torch.distributed as dist
import torch.nn.functional as F
from mmengine.model import is_model_wrapper
from mmengine.model.utils import _BatchNormXd
from mmengine.utils.dl_utils.parrots_wrapper import \
    SyncBatchNorm as MMEngineSyncBatchNorm
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules._functions import SyncBatchNorm as sync_batch_norm
from torch.nn.modules.batchnorm import _BatchNorm


class SubBatchNorm(_BatchNorm):
    """Normalize each of ``num_splits`` groups of clips separately.

    It replaces a batch norm and has the same parameters and buffers, so that
    checkpoints load either way. The running statistics are the mean over the
    groups. With one split, and in evaluation, the output is that of the
    replaced layer, bit for bit. If the splits do not divide the batch, the
    next smaller number that divides it is used.

    In an input of five dimensions, a group holds every k-th clip for k
    groups. In other inputs the rows may be frames of clips, and a group holds
    neighboring rows.

    Attributes:
        num_splits (int): Groups in a batch. Defaults to 1.
        process_group (ProcessGroup, optional): Processes that share the
            statistics of a group. Defaults to None.
        synced (bool): Whether base training computes statistics over all
            processes. Defaults to False.
    """

    # Class attributes, because a conversion changes __class__ and never calls
    # __init__.
    num_splits: int = 1
    process_group: Optional['dist.ProcessGroup'] = None
    synced: bool = False

    def forward(self, input: Tensor) -> Tensor:
        """Normalize a batch of shape (N, C, ...)."""
        # Evaluation uses the running statistics, which groups do not change.
        if not self.training:
            return super().forward(input)
        if self.process_group is not None:
            return self._forward_synced(input)
        # Precise BN and users may pass batches of other sizes than the
        # stage's, and F.batch_norm needs groups of equal size.
        splits = min(self.num_splits, input.size(0))
        while input.size(0) % splits:
            splits -= 1
        if splits == 1:
            # The stock layer, so that the result is the same bit for bit.
            return super().forward(input)
        self._check_input_dim(input)
        # Each group is normalized as channels of its own, in one call of
        # F.batch_norm, which costs as much as plain batch norm.
        mean = _repeat(self.running_mean, splits)
        var = _repeat(self.running_var, splits)
        output = F.batch_norm(
            _split(input, splits), mean, var, _repeat(self.weight, splits),
            _repeat(self.bias, splits), True, self._next_momentum(), self.eps)
        # F.batch_norm updated the copies in place. They are None if the layer
        # has no running statistics.
        if mean is not None:
            self.running_mean.copy_(mean.view(splits, -1).mean(0))
            self.running_var.copy_(var.view(splits, -1).mean(0))
        return _join(output, splits)

    def _next_momentum(self) -> float:
        """Count a batch and return the weight of its statistics."""
        if self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            # torch then keeps the mean over all batches.
            if self.momentum is None:
                return 1. / float(self.num_batches_tracked)
        return 0. if self.momentum is None else self.momentum

    def _forward_synced(self, input: Tensor) -> Tensor:
        """Normalize the joint batch of the processes in the group."""
        self._check_input_dim(input)
        # torch's kernel runs on GPUs only.
        if input.is_cuda:
            return sync_batch_norm.apply(
                input, self.weight, self.bias,
                self.running_mean, self.running_var, self.eps,
                self._next_momentum(), self.process_group,
                dist.get_world_size(self.process_group))
        return self._forward_reduced(input)

    def _forward_reduced(self, input: Tensor) -> Tensor:
        """Normalize by an all-reduce of sums, which runs on CPUs."""
        # Sums of squares overflow in half precision.
        values = input if input.dtype == torch.float64 else input.float()
        channels, dims = values.size(1), [0, *range(2, input.dim())]
        count = values.new_full((1, ), values.numel() / channels)
        # One message for all sums. Processes may hold different counts.
        sums = torch.cat([values.sum(dims), values.square().sum(dims), count])
        # torch.distributed.nn's version has a backward pass: the gradients of
        # the statistics are summed over the processes as well.
        sums = all_reduce(sums, group=self.process_group)
        count = sums[-1].detach()
        mean = sums[:channels] / count
        # Rounding can make the difference slightly negative.
        var = (sums[channels:-1] / count - mean.square()).clamp_min(0)
        if self.track_running_stats:
            momentum = self._next_momentum()
            # Running variances are unbiased, as in torch.
            unbiased = var.detach() * (count / (count - 1).clamp_min(1))
            self.running_mean.lerp_(mean.detach().to(self.running_mean.dtype),
                                    momentum)
            self.running_var.lerp_(
                unbiased.to(self.running_var.dtype), momentum)
        scale, bias = torch.rsqrt(var + self.eps), 0.
        if self.affine:
            scale, bias = scale * self.weight, self.bias
        shift = bias - mean * scale
        view = (1, channels, *[1] * (input.dim() - 2))
        output = values * scale.view(view) + shift.view(view)
        return output.to(input.dtype)


class SubBatchNorm1d(SubBatchNorm, nn.BatchNorm1d):
    """:class:`SubBatchNorm` that replaces ``BatchNorm1d``."""


class SubBatchNorm2d(SubBatchNorm, nn.BatchNorm2d):
    """:class:`SubBatchNorm` that replaces ``BatchNorm2d``."""


class SubBatchNorm3d(SubBatchNorm, nn.BatchNorm3d):
    """:class:`SubBatchNorm` that replaces ``BatchNorm3d``."""


class SubSyncBatchNorm(SubBatchNorm):
    """:class:`SubBatchNorm` that replaces a synchronized batch norm.

    Its groups have as many clips as the joint batch of all processes in base
    training. In one process mmengine makes plain layers of synchronized ones,
    which count as synchronized.
    """
    synced = True

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept any number of dimensions, as the replaced layer does."""


def _repeat(values: Optional[Tensor], splits: int) -> Optional[Tensor]:
    return None if values is None else values.repeat(splits)


def _split(input: Tensor, splits: int) -> Tensor:
    """Reshape (N, C, ...) to (N / splits, splits * C, ...)."""
    # Clips i, i + splits, ... form a group, so that no copy is needed.
    if input.dim() == 5:
        return input.reshape(
            input.size(0) // splits, splits * input.size(1), *input.shape[2:])
    return input.unflatten(0, (splits, -1)).transpose(0, 1).flatten(1, 2)


def _join(output: Tensor, splits: int) -> Tensor:
    """Reverse :func:`_split`."""
    if output.dim() == 5:
        return output.reshape(output.size(0) * splits, -1, *output.shape[2:])
    return output.unflatten(1, (splits, -1)).transpose(0, 1).flatten(0, 1)


# Exact types: a subclass may override forward, and a change of its class
# would drop that silently.
SUB_CLASSES: Dict[type, type] = {
    nn.BatchNorm1d: SubBatchNorm1d,
    nn.BatchNorm2d: SubBatchNorm2d,
    nn.BatchNorm3d: SubBatchNorm3d,
    nn.SyncBatchNorm: SubSyncBatchNorm,
    # mmengine turns synchronized layers into these in a single process.
    MMEngineSyncBatchNorm: SubSyncBatchNorm,
    _BatchNormXd: SubSyncBatchNorm
}


def _sub_class(module: nn.Module) -> Optional[type]:
    kind = type(module)
    # mmcv's SyncBatchNorm is no _BatchNorm but has all its members.
    # mmcv-lite does not have it.
    if kind.__name__ == 'SyncBatchNorm' and kind.__module__.startswith(
            'mmcv.ops.'):
        return SubSyncBatchNorm
    return SUB_CLASSES.get(kind)


def find_batch_norms(model: nn.Module) -> Iterator[nn.Module]:
    """Yield all batch norms of a model.

    MMAction2's ``SubBatchNorm3D`` counts as one layer. The two batch norms
    inside of it, which have different widths, are left out.
    """
    if (isinstance(model, _BatchNorm) or _sub_class(model)
            or type(model).__name__ == 'SubBatchNorm3D'):
        yield model
    else:
        for child in model.children():
            yield from find_batch_norms(child)


def unwrap_model(model: nn.Module) -> nn.Module:
    """Return the model inside of a wrapper such as DDP."""
    return model.module if is_model_wrapper(model) else model


def convert_sub_batch_norm(model: nn.Module) -> List[SubBatchNorm]:
    """Convert the batch norms of a model to :class:`SubBatchNorm` in place.

    Unknown subclasses of batch norm stay as they are. Layers that have been
    converted before are returned as well.

    Args:
        model (nn.Module): The model, which keeps its modules and tensors.

    Returns:
        list[SubBatchNorm]: The converted layers.
    """
    layers = []
    for module in dict.fromkeys(find_batch_norms(model)):  # some are shared
        sub_class = _sub_class(module)
        # The class changes in place: parameters, buffers and hooks stay.
        if sub_class is not None:
            module.__class__ = sub_class
        if isinstance(module, SubBatchNorm):
            layers.append(module)
    return layers


def set_bn_splits(layers: List[SubBatchNorm],
                  num_splits: int,
                  process_group=None) -> None:
    """Set the splits and the process group of layers."""
    for layer in layers:
        layer.num_splits = num_splits
        layer.process_group = process_group
