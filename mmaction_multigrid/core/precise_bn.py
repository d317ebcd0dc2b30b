"""Precise BN: statistics over many batches before every evaluation."""

from contextlib import contextmanager
from typing import Iterator, List, Tuple

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import EMAHook, Hook
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmaction.registry import HOOKS
from .batch_norm import unwrap_model
from .batch_sampler import PRECISE_BN, is_positive_int
from .shapes import Shape

# One batch per this number of iterations since the previous evaluation, so
# that precise BN takes at most about 5 % of the time.
ITERS_PER_BATCH = 20
# The smallest number of clips before an evaluation, and before the last one,
# whose weights are the result of the run. Training normalizes by statistics
# over at most 8 clips; the error of those over 32 is half as large.
MIN_CLIPS, MIN_LAST_CLIPS = 32, 200


def num_precise_bn_batches(limit: int,
                           iterations: int,
                           clips: int,
                           last: bool = False) -> int:
    """Compute the number of batches before an evaluation.

    Args:
        limit (int): The largest number of batches.
        iterations (int): Iterations since the previous evaluation.
        clips (int): Clips in the base batch of all processes.
        last (bool): Whether it is the last evaluation. Defaults to False.
    """
    least = -(-(MIN_LAST_CLIPS if last else MIN_CLIPS) // clips)
    return min(limit, max(iterations // ITERS_PER_BATCH, least))


class PreciseBN:
    """Replace the running statistics by those over several batches.

    The mean is the mean of the batch means. The variance is the mean of the
    batch variances plus the variance of the batch means. Layers in evaluation
    mode and layers without running statistics keep theirs.

    Args:
        model (nn.Module): The model, in training mode.

    Examples:
        >>> precise_bn = PreciseBN(model)
        >>> with torch.no_grad(), precise_bn.collect():
        ...     for batch in batches:
        ...         model(batch)
        ...         precise_bn.update()
    """

    def __init__(self, model: nn.Module) -> None:
        self.layers: List[_BatchNorm] = [
            module for module in model.modules()
            if isinstance(module, _BatchNorm) and module.training
            and module.track_running_stats
        ]
        self.count = 0

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Collect inside the ``with`` block, and write the result at its end.

        After an error the layers have the statistics that they had before.
        """
        # A failed collection must not leave half of the statistics behind.
        saved = [(layer.momentum, getattr(layer, 'num_splits',
                                          1), layer.running_mean.clone(),
                  layer.running_var.clone(), layer.num_batches_tracked.clone())
                 for layer in self.layers]
        self.count = 0
        # Sums of means, of their squares and of variances. Differences of
        # large sums need double precision.
        self._sums = [
            torch.zeros(
                3,
                layer.num_features,
                dtype=torch.float64,
                device=layer.running_mean.device) for layer in self.layers
        ]
        for layer in self.layers:
            # With momentum 1 the running statistics are those of the last
            # batch. The batch is not split, because groups of few clips would
            # miss the variance between clips.
            layer.momentum, layer.num_splits = 1., 1
        written = False
        try:
            yield
            self._write()
            written = self.count > 0
        finally:
            for layer, (momentum, splits, mean, var,
                        tracked) in zip(self.layers, saved):
                layer.momentum, layer.num_splits = momentum, splits
                layer.num_batches_tracked.copy_(tracked)
                if not written:
                    layer.running_mean.copy_(mean)
                    layer.running_var.copy_(var)

    def update(self) -> None:
        """Add the statistics of the batch that the model has just seen."""
        self.count += 1
        for layer, sums in zip(self.layers, self._sums):
            mean = layer.running_mean.double()
            sums += torch.stack(
                [mean, mean.square(),
                 layer.running_var.double()])

    def _write(self) -> None:
        for layer, sums in zip(self.layers, self._sums if self.count else ()):
            sums /= self.count
            # Each process has seen other clips, and as many batches.
            if get_world_size() > 1:
                all_reduce(sums, 'mean')
            mean, square, var = sums
            layer.running_mean.copy_(mean)
            layer.running_var.copy_(var +
                                    (square - mean.square()).clamp_min(0))


@contextmanager
def averaged_weights(runner) -> Iterator[None]:
    """Use the averaged weights of an ``EMAHook`` inside the ``with`` block."""
    # The hook swaps the two models in before_val_epoch and swaps them back in
    # after_val_epoch. No validation happens here.
    hooks = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
    for hook in hooks:
        hook.before_val_epoch(runner)
    try:
        yield
    finally:
        for hook in hooks:
            hook.after_val_epoch(runner)
    for hook in hooks:
        # By default the hook swaps parameters only, and checkpoints hold the
        # buffers of the averaged model. With update_buffers the swap has
        # taken the new statistics along.
        if not hook.ema_model.update_buffers:
            for average, buffer in zip(hook.ema_model.module.buffers(),
                                       hook.src_model.buffers()):
                average.copy_(buffer)


@HOOKS.register_module()
class PreciseBNHook(Hook):
    """Compute batch-norm statistics over training clips of the base shape.

    It does so before validation and checkpoints, because the running
    statistics are those of a stage's coarse clips. With an ``EMAHook`` they
    are those of the averaged weights. Its priority is NORMAL, before
    ``CheckpointHook`` (VERY_LOW).

    Args:
        base_shape (tuple[int, int]): Frames and crop of the base config.
        num_batches (int): The largest number of batches, of the base batch
            size. Defaults to 200.

    Raises:
        ValueError: ``num_batches`` is impossible.
    """
    priority = 'NORMAL'

    def __init__(self,
                 base_shape: Tuple[int, int],
                 num_batches: int = 200) -> None:
        if not is_positive_int(num_batches):
            raise ValueError(f'num_batches = {num_batches!r}: must be '
                             'an integer of at least 1; leave the '
                             'hook out to turn precise BN off')
        self.shape = Shape(1, *base_shape)
        self.num_batches = num_batches

    def before_train(self, runner) -> None:
        """Add the batches of precise BN to those of the run."""
        model = unwrap_model(runner.model)
        model.train()
        if not PreciseBN(model).layers:
            return
        loop, sampler = runner.train_loop, runner.train_loop.batch_sampler
        clips = sampler.batch_size * get_world_size()
        begin = 0
        for epoch in sorted(loop.eval_epochs):
            iterations = loop.first_iters[epoch] - loop.first_iters[begin]
            count = num_precise_bn_batches(self.num_batches, iterations, clips,
                                           epoch == loop.max_epochs)
            sampler.set_precise_bn(epoch - 1, self.shape, count)
            begin = epoch

    def after_train_epoch(self, runner) -> None:
        """Update the statistics if the loop validates after this epoch."""
        loop, model = runner.train_loop, unwrap_model(runner.model)
        precise_bn = PreciseBN(model)
        if not loop.is_eval_epoch(runner.epoch + 1) or not precise_bn.layers:
            return
        with torch.no_grad(), averaged_weights(runner), precise_bn.collect():
            for data in loop.batches.take(runner.epoch, PRECISE_BN):
                with runner.optim_wrapper.optim_context(model):
                    # Mode 'loss' runs all layers that training runs, those of
                    # auxiliary heads included.
                    data = model.data_preprocessor(data, True)
                    model._run_forward(data, mode='loss')
                precise_bn.update()
        runner.logger.info(
            f'Precise BN: statistics of {len(precise_bn.layers)} layers over '
            f'{precise_bn.count} batches of {loop.batch_sampler.batch_size} x '
            f'{self.shape.num_frames} x {self.shape.crop_size}')
