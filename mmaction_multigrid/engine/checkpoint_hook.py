"""Checkpoints when a stage validates."""

from typing import Optional

from mmaction.registry import HOOKS
from mmengine.hooks import CheckpointHook


@HOOKS.register_module()
class MultigridCheckpointHook(CheckpointHook):
    """``CheckpointHook`` that saves at the epochs at which ``MultigridTrainLoop`` validates.

    Its priority is the stock hook's, VERY_LOW: after everything that changes the model at the end of an epoch,
    precise BN among it.

    Args:
        interval (int, optional): Ignored; a stage sets when to save.
        **kwargs: As for ``CheckpointHook``.
    """

    def __init__(self, interval: Optional[int] = None, **kwargs) -> None:
        super().__init__(interval=1, **kwargs)

    def every_n_epochs(self, runner, n: int, start: int = 0) -> bool:
        """Whether the epoch that ends now is one to save at."""
        return runner.epoch + 1 > start and runner.train_loop.is_eval_epoch(runner.epoch + 1)
