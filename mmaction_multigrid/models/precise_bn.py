"""Batch-norm statistics of the whole population instead of the last few batches."""

from contextlib import contextmanager
from typing import Iterator, List

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class PreciseBN:
    """Replaces the running statistics of a model by those over the batches that it sees meanwhile.

    The mean is the mean of the batch means; the variance the mean of the batch variances plus the variance of
    the batch means. Layers in evaluation mode (frozen ones) and layers without running statistics keep theirs.

    Args:
        model (nn.Module): The model, in training mode.

    Examples:
        >>> precise = PreciseBN(model)
        >>> with torch.no_grad(), precise.collect():
        ...     for batch in batches:
        ...         model(batch)
        ...         precise.update()
    """

    def __init__(self, model: nn.Module) -> None:
        self.layers: List[_BatchNorm] = [
            module for module in model.modules()
            if isinstance(module, _BatchNorm) and module.training and module.track_running_stats
        ]
        self.count = 0

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Collect inside the ``with`` block and write the statistics at its end; after an error nothing."""
        saved = [(layer.momentum, layer.running_mean.clone(), layer.running_var.clone(),
                  layer.num_batches_tracked.clone()) for layer in self.layers]
        self.count = 0
        self._sums = [torch.zeros(3, layer.num_features, dtype=torch.float64, device=layer.running_mean.device)
                      for layer in self.layers]
        for layer in self.layers:
            layer.momentum = 1.  # so that the running statistics are the last batch's
        written = False
        try:
            yield
            self._write()
            written = self.count > 0
        finally:
            for layer, (momentum, mean, var, tracked) in zip(self.layers, saved):
                layer.momentum = momentum
                layer.num_batches_tracked.copy_(tracked)
                if not written:
                    layer.running_mean.copy_(mean)
                    layer.running_var.copy_(var)

    def update(self) -> None:
        """Take in the statistics of the batch that the model has just seen."""
        self.count += 1
        for layer, sums in zip(self.layers, self._sums):
            mean = layer.running_mean.double()
            sums += torch.stack([mean, mean.square(), layer.running_var.double()])

    def _write(self) -> None:
        if not self.count:
            return
        for layer, sums in zip(self.layers, self._sums):
            sums /= self.count
            if get_world_size() > 1:
                all_reduce(sums, 'mean')
            mean, square, var = sums
            layer.running_mean.copy_(mean)
            layer.running_var.copy_(var + (square - mean.square()).clamp_min(0))
