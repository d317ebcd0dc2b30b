"""Hook that passes the epoch to dataset, sampler and batch norms."""

from functools import lru_cache
from typing import List, Optional, Tuple

import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook

from mmaction.registry import HOOKS
from .batch_norm import (SubBatchNorm, convert_sub_batch_norm, set_bn_splits,
                         unwrap_model)
from .batch_sampler import is_positive_int
from .stages import Stage, bn_group_size


@HOOKS.register_module()
class MultigridHook(Hook):
    """Set the epoch of the sampler and the splits of the batch norms.

    It needs no state in checkpoints, because everything follows from the
    runner's epoch. Its priority is NORMAL, so that the scalars are set before
    ``LoggerHook`` (BELOW_NORMAL) logs them.

    Args:
        bn_base_size (int, optional): Clips that batch-norm statistics are
            computed over. Defaults to the base batch per GPU, at most 8.
            Synchronized layers keep the base batch of all processes.

    Raises:
        ValueError: ``bn_base_size`` is impossible.
    """
    priority = 'NORMAL'

    def __init__(self, bn_base_size: Optional[int] = None) -> None:
        if bn_base_size is not None and not is_positive_int(bn_base_size):
            raise ValueError(f'bn_base_size = {bn_base_size!r}: '
                             'must be an integer of at least 1')
        self.bn_base_size = bn_base_size
        self.layers: List[SubBatchNorm] = []
        self._stage: Optional[Stage] = None

    def before_train(self, runner) -> None:
        """Convert the batch norms and set the sampler's seed.

        Raises:
            TypeError: The train loop is no ``MultigridTrainLoop``.
        """
        loop = runner.train_loop
        if not hasattr(loop, 'epoch_at'):
            raise TypeError(
                "MultigridHook needs train_cfg.type = 'MultigridTrainLoop', "
                f'not {type(loop).__name__}')
        # Here and not earlier: the model is in DDP and has its weights, and
        # the change of class leaves both untouched.
        self.layers = convert_sub_batch_norm(unwrap_model(runner.model))
        # A second call of train() may begin in another stage.
        self._stage = None
        batch_sampler = loop.batch_sampler
        batch_sampler.seed = runner.seed
        # A resume restores the run's seed after the sampler was built. With
        # diff_rank_seed the runner's seed differs between processes, and the
        # sampler needs the common one that it has.
        if hasattr(batch_sampler.sampler, 'seed') and not getattr(
                runner, '_randomness_cfg', {}).get('diff_rank_seed', False):
            batch_sampler.sampler.seed = runner.seed

    def before_train_epoch(self, runner) -> None:
        """Set the epoch, and the splits where a stage begins."""
        loop = runner.train_loop
        sampler, dataset = loop.batch_sampler, loop.dataloader.dataset
        sampler.set_epoch(runner.epoch)
        if hasattr(dataset, 'set_epoch'):
            dataset.set_epoch(runner.seed, runner.epoch)
        # Splits change with the stage only.
        if sampler.stage is self._stage:
            return
        stage = self._stage = sampler.stage
        norms = self._set_splits(sampler.batch_size, stage)
        shapes = ', '.join(f'{sampler.batch_size * s.batch_factor} x '
                           f'{s.num_frames} x {s.crop_size}'
                           for s in stage.shapes)
        runner.logger.info(
            f'Multigrid stage {sampler.stages.index(stage) + 1}/'
            f'{len(sampler.stages)}, epochs {stage.begin + 1} to {stage.end}: '
            f'batches per GPU (clips x frames x crop) {shapes}; lr '
            f'{runner.optim_wrapper.get_lr()["lr"][0]:.4g} at its start, '
            f'{norms}, {len(sampler)} iterations per epoch')

    def before_train_iter(self,
                          runner,
                          batch_idx: int,
                          data_batch=None) -> None:
        """Log the batch's shape as scalars ``multigrid/...``."""
        sampler = runner.train_loop.batch_sampler
        shapes = sampler.stage.shapes
        # The message hub carries them to the log and to TensorBoard.
        shape = shapes[batch_idx % len(shapes)]
        for name, value in (('num_frames',
                             shape.num_frames), ('crop_size', shape.crop_size),
                            ('batch_size',
                             sampler.batch_size * shape.batch_factor)):
            runner.message_hub.update_scalar(f'train/multigrid/{name}', value)

    def _set_splits(self, base_batch: int, stage: Stage) -> str:
        """Set splits and process groups, and describe them."""
        batch_size = base_batch * stage.shape.batch_factor
        world_size, done = get_world_size(), []
        for synced in (False, True):
            layers = [lay for lay in self.layers if lay.synced == synced]
            if not layers:
                continue
            # Synchronized layers keep the joint batch of base training.
            clips = base_batch * world_size if synced else bn_group_size(
                self.bn_base_size, base_batch)
            splits, processes = bn_groups(batch_size, clips, world_size)
            group = _process_group(processes) if processes > 1 else None
            set_bn_splits(layers, splits, group)
            done.append(
                f'BN splits: {splits} of {batch_size // splits} clips' +
                (f' on {get_world_size(group)} processes' if group else ''))
        return '; '.join(done) or 'no BN'


def bn_groups(batch_size: int, clips: int,
              num_processes: int) -> Tuple[int, int]:
    """Compute the groups whose statistics are over about ``clips`` clips.

    Args:
        batch_size (int): Clips per GPU in the stage's own batch.
        clips (int): Clips that statistics are computed over.
        num_processes (int): Number of all processes. A single process with a
            batch below ``clips`` uses the statistics of its batch.

    Returns:
        tuple[int, int]: Splits of the batch, which divide it, and processes
        that share statistics.
    """
    splits = max(1, batch_size // clips)
    # The next smaller number that divides the batch, as in SubBatchNorm.
    while batch_size % splits:
        splits -= 1
    return splits, min(num_processes, -(-clips // batch_size))


def group_ranks(world_size: int, size: int) -> List[List[int]]:
    """List the ranks of groups of at least ``size`` neighboring ranks."""
    # Groups must be of equal size, or their statistics would differ.
    size = min(size, world_size)
    while world_size % size:
        size += 1
    return [
        list(range(begin, begin + size))
        for begin in range(0, world_size, size)
    ]


@lru_cache(maxsize=None)
def _process_group(size: int):
    """Return the process group of this rank; all ranks must call it."""
    # torch requires that every process creates every group. The cache keeps
    # stages from creating the same groups again.
    groups = [(ranks, dist.new_group(ranks))
              for ranks in group_ranks(get_world_size(), size)]
    return next(group for ranks, group in groups if get_rank() in ranks)
