"""Precise batch-norm statistics before every validation and checkpoint."""

from contextlib import closing, contextmanager
from typing import Iterator, Optional, Tuple

import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_world_size
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper

from ..models import PreciseBN, whole_batches
from ..schedule import Segment, Shape, is_count, precise_bn_batches


@contextmanager
def averaged_weights(runner) -> Iterator[None]:
    """With an ``EMAHook``, give the model the averaged weights, which are the ones to be validated and saved."""
    hooks = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
    for hook in hooks:
        hook.before_val_epoch(runner)  # swaps them in
    try:
        yield
    finally:
        for hook in hooks:
            hook.after_val_epoch(runner)  # and out
    for hook in hooks:
        if not hook.ema_model.update_buffers:  # then the swap leaves the statistics with the model
            for average, buffer in zip(hook.ema_model.module.buffers(), hook.src_model.buffers()):
                average.copy_(buffer)


@HOOKS.register_module()
class PreciseBNHook(Hook):
    """Recomputes batch-norm statistics over training clips of the *base* shape before validation and checkpoints.

    Running statistics are those of the stage's coarse clips and do not fit the full clips that the model is
    validated on. Training itself does not use them. With an ``EMAHook`` they are those of the averaged weights.
    Its priority is NORMAL: before ``CheckpointHook`` (VERY_LOW).

    Args:
        base_shape (tuple[int, int]): Frames and crop of the base config.
        num_batches (int): Batches of the base batch size at the most. Defaults to 200. Fewer are a twentieth of the
            iterations since the evaluation before (:func:`precise_bn_batches`), or one pass over the data.

    Raises:
        ValueError: A number is impossible.
    """
    priority = 'NORMAL'

    def __init__(self, base_shape: Tuple[int, int], num_batches: int = 200) -> None:
        if not is_count(num_batches):
            raise ValueError(f'num_batches = {num_batches!r}: must be an integer of at least 1; leave the hook out to '
                             'turn precise BN off')
        self.shape = Shape(1, *base_shape)
        self.num_batches = num_batches

    def segment(self, runner, epoch: int) -> Optional[Segment]:
        """The batches for the statistics after an epoch; None: no evaluation follows, or the model has no batch norm."""
        loop, sampler = runner.train_loop, runner.train_loop.dataloader.batch_sampler
        if not loop.is_eval_epoch(epoch + 1) or not PreciseBN(_bare(runner.model)).layers:
            return None
        clips, iterations = sampler.batch_size * get_world_size(), loop.iters_since_eval(epoch + 1)
        last = epoch + 1 == loop.max_epochs
        return Segment(epoch, self.shape, precise_bn_batches(self.num_batches, iterations, clips, last))

    def after_train_epoch(self, runner) -> None:
        """Update the statistics if the loop validates after this epoch."""
        segment = self.segment(runner, runner.epoch)
        if segment is None:
            return
        model = _bare(runner.model)
        precise = PreciseBN(model)
        # From the stream of training: its workers serve on, have begun with these already, and go on with the next epoch.
        with torch.no_grad(), averaged_weights(runner), whole_batches(model), precise.collect(), \
                closing(runner.train_loop.stream.batches(segment)) as batches:
            for data in batches:
                with runner.optim_wrapper.optim_context(model):
                    model._run_forward(model.data_preprocessor(data, True), mode='loss')
                precise.update()
        runner.logger.info(f'Precise BN: statistics of {len(precise.layers)} layers over {precise.count} batches of '
                           f'{runner.train_loop.dataloader.batch_sampler.batch_size} x {self.shape.num_frames} x '
                           f'{self.shape.crop_size}')


def _bare(model: torch.nn.Module) -> torch.nn.Module:
    return model.module if is_model_wrapper(model) else model
