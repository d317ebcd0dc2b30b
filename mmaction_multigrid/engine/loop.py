"""The train loop for epochs of different numbers of iterations."""

from bisect import bisect_right
from contextlib import closing
from itertools import accumulate
from typing import Dict, Optional, Union

import torch
from mmaction.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop
from torch import nn
from torch.utils.data import DataLoader

from ..schedule import Segment, Waiting, check_count
from ..survival import BatchStream
from .precise_bn_hook import PreciseBNHook


@LOOPS.register_module()
class MultigridTrainLoop(EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` that counts the iterations of each epoch and validates per stage.

    The stock loop takes the first epoch's length for every epoch's, and validates at fixed intervals of epochs,
    which are not comparable across stages. Gradients are accumulated (``accumulative_counts``) within an epoch: its
    last group of batches may be smaller.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): Its batch sampler must be a ``MultigridBatchSampler``. ``pin_memory`` of a dict
            defaults to True where there is a GPU.
        max_epochs (int): Epochs of all stages.
        eval_freq (int): Validations per stage, evenly spaced, one at its end. Defaults to 3.

    Raises:
        TypeError: The batch sampler has no stages.
        ValueError: ``max_epochs`` is not the stages' sum.
    """

    def __init__(self, runner, dataloader: Union[DataLoader, Dict], max_epochs: int, eval_freq: int = 3) -> None:
        if isinstance(dataloader, dict):
            dataloader = {'pin_memory': torch.cuda.is_available(), **dataloader}
        super().__init__(runner, dataloader, max_epochs)
        sampler = self.dataloader.batch_sampler
        if not hasattr(sampler, 'stages'):
            raise TypeError(f'{type(self).__name__} needs train_dataloader.batch_sampler of type '
                            f"'MultigridBatchSampler', not {type(sampler).__name__}")
        if max_epochs != sampler.max_epochs:
            raise ValueError(f'train_cfg.max_epochs = {max_epochs}: the stages of train_dataloader.batch_sampler sum '
                             f'up to {sampler.max_epochs} epochs, and the two must agree')
        check_count('train_cfg.eval_freq', eval_freq)
        self.eval_epochs = frozenset(epoch for stage in sampler.stages for epoch in stage.eval_epochs(eval_freq))
        # Iterations before each epoch, and, last, in all.
        lengths = (sampler.num_batches(epoch) for epoch in range(max_epochs))
        self.first_iters = [0, *accumulate(lengths)]
        self._max_iters = self.first_iters[-1]
        self.waiting = Waiting()

    def is_eval_epoch(self, num_epochs: int) -> bool:
        """Whether to validate, and to save a checkpoint, once ``num_epochs`` epochs are finished."""
        return num_epochs in self.eval_epochs

    def iters_since_eval(self, num_epochs: int) -> int:
        """Iterations from the evaluation before ``num_epochs`` finished epochs, or the start of training, up to there."""
        before = max((epoch for epoch in self.eval_epochs if epoch < num_epochs), default=0)
        return self.first_iters[num_epochs] - self.first_iters[before]

    def epoch_at(self, iteration: int) -> float:
        """The fractional epoch at the start of an iteration, both counted from 0."""
        epoch = min(bisect_right(self.first_iters, iteration) - 1, self._max_epochs - 1)
        begin, end = self.first_iters[epoch:epoch + 2]
        return epoch + (iteration - begin) / (end - begin)

    def following(self, segment: Segment) -> Optional[Segment]:
        """The batches that come after these, so that workers load them ahead: of precise BN, or the next epoch."""
        if segment.shape is None:
            for hook in self.runner.hooks:
                if isinstance(hook, PreciseBNHook) and (batches := hook.segment(self.runner, segment.epoch)):
                    return batches
        return Segment(segment.epoch + 1) if segment.epoch + 1 < self._max_epochs else None

    def run(self):
        """Train, and validate where a stage asks for it."""
        # A checkpoint of another batch size or number of processes counts other iterations; its epochs are ours.
        self._iter = self.first_iters[min(self._epoch, self._max_epochs)]
        self.runner.call_hook('before_train')
        with BatchStream(self.dataloader, self.following) as self.stream:
            while self._epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                if self.runner.val_loop is not None and self.is_eval_epoch(self._epoch):
                    self.runner.val_loop.run()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train one epoch, on whatever its data workers survive."""
        self.runner.call_hook('before_train_epoch')
        # To the optimizer's count an epoch is a training of its own: a gradient that waited for the next epoch's batches
        # is in no checkpoint, and they may be of another stage. The model is only asked about its batch norm, for a
        # warning that the Runner has caused already.
        begin, end = self.first_iters[self._epoch:self._epoch + 2]
        self.runner.optim_wrapper.initialize_count_status(nn.Module(), 0, end - begin)
        self.runner.model.train()
        with closing(self.stream.batches(Segment(self._epoch))) as batches:
            for idx, data_batch in enumerate(self.waiting.measured(batches)):
                self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
