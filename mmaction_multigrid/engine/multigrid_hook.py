"""The hook that tells the batch sampler the epoch and the norm layers their splits."""

import random
from itertools import islice
from typing import List, Optional

import numpy as np
import torch
import torch.distributed as dist
from mmaction.registry import HOOKS
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from ..models import SubBatchNorm, check_sizes, convert_sub_batch_norm, follow_grid, norm_report, set_bn_splits
from ..patches import change_lines
from ..schedule import Settings, Stage, Waiting, check_count, is_count, norm_groups
from .dist import bn_process_group
from .fingerprint import check_resume, fingerprint
from .lr import MultigridLR
from .start_report import plan_lines, plan_warnings
from .store_command import store_command


@HOOKS.register_module()
class MultigridHook(Hook):
    """Keeps the batch sampler, the norm layers and the lr in step with the epoch, and says so in the log.

    At the end of each stage the log tells which share of its time was waiting for data.

    It holds no state: everything follows from the runner's epoch and iteration, so that resuming is free. Its
    priority is NORMAL: the sampler must know its epoch before the loop asks for the first batch, and
    ``LoggerHook`` (BELOW_NORMAL) must find the scalars.

    Args:
        bn_base_size (int, optional): Clips over which batch-norm statistics are computed. Defaults to the base batch per
            GPU, at most 8, and in a run that is resumed to the number that it began with. Synchronised layers keep as
            many as they have in base training: the base batch of all processes.
        base (dict, optional): What the log compares the run with at its start: ``max_epochs`` of base training,
            ``relative_cost`` (computing, relative to it), ``max_batch_factor`` and ``lr_scaling``.

    Raises:
        ValueError: ``bn_base_size`` is impossible.
    """
    priority = 'NORMAL'

    def __init__(self, bn_base_size: Optional[int] = None, base: Optional[dict] = None) -> None:
        if bn_base_size is not None:
            check_count('bn_base_size', bn_base_size)
        self.bn_base_size = bn_base_size
        self.about = base or {}
        self.layers: List[SubBatchNorm] = []
        self._stage: Optional[Stage] = None

    def before_train(self, runner) -> None:
        """Swap norm layers and positions, take over the seed of a resumed run, connect the lr to the loop's clock.

        Raises:
            TypeError: The train loop has no exact clock.
            ValueError: The network has a position embedding, and no rule says how that follows the grid; or it cannot
                take the smallest clips.
        """
        loop = runner.train_loop
        if not hasattr(loop, 'epoch_at'):
            raise TypeError(f"MultigridHook needs train_cfg.type = 'MultigridTrainLoop', not {type(loop).__name__}")
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self.layers = convert_sub_batch_norm(model)
        followed = follow_grid(model)
        self._check_sizes(runner, model)
        for line in change_lines():
            runner.logger.info(line)
        for line in plan_lines(runner, self.about):
            runner.logger.info(f'Multigrid: {line}')
        self._log_norms(runner, model)
        if followed:
            runner.logger.info(f'Multigrid: positions follow the grid in {len(followed)} modules, {followed[0]} first')
        for line in plan_warnings(runner, self.about):
            runner.logger.warning(f'Multigrid: {line}')
        self._stage = None
        sampler = loop.dataloader.batch_sampler.sampler
        # Without a seed in the config a resumed run has the seed of the run before, but its sampler, built
        # earlier, one of its own: the order of the clips would change.
        if hasattr(sampler, 'seed') and not getattr(runner, '_randomness_cfg', {}).get('diff_rank_seed', False):
            sampler.seed = runner.seed
        for scheduler in runner.param_schedulers or []:
            if isinstance(scheduler, MultigridLR):
                scheduler.follow(loop.epoch_at, runner.iter, loop.dataloader.batch_sampler.base_batches)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Write down what the course of the run follows from, as plain values in ``meta['multigrid']``."""
        checkpoint['meta']['multigrid'] = fingerprint(runner, self._bn_clips(runner))

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuse to resume with another schedule, or with another joint batch at the same lr.

        Raises:
            ValueError: The checkpoint is of a run with other stages, lr schedule, ``bn_base_size`` or
                ``accumulative_counts``, or of one without multigrid; or the batch of all processes is another than
                the checkpoint's, and ``auto_scale_lr`` is off.
        """
        if not runner._resume or runner._train_loop is None:
            return
        # Built by now, but for a resume by hand before the training; the Runner builds them after this hook.
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        if runner.param_schedulers is not None:
            runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
        before = checkpoint.get('meta', {}).get('multigrid')
        if self.bn_base_size is None and isinstance(before, dict) and is_count(before.get('bn_base_size')):
            self.bn_base_size = before['bn_base_size']
        now = fingerprint(runner, self._bn_clips(runner))
        check_resume(before, now)
        if now['batch'] == before['batch']:
            return
        if not (runner.auto_scale_lr or {}).get('enable', False):
            raise ValueError(
                f'train_dataloader.batch_size x processes = {now["batch"]}: the checkpoint was trained with '
                f'{before["batch"]}, which the lr is for. Keep that product, or let the lr follow it: auto_scale_lr = '
                f'dict(enable=True, base_batch_size={before["batch"]}), or tools/train.py --auto-scale-lr')
        runner.logger.info(f'Resuming with {now["batch"]} instead of {before["batch"]} clips in the base batch of all '
                           f'processes; the lr follows auto_scale_lr = {dict(runner.auto_scale_lr)}')

    def _bn_clips(self, runner) -> int:
        return self.bn_base_size or Settings().bn_clips(runner.train_loop.dataloader.batch_sampler.batch_size)

    def before_train_epoch(self, runner) -> None:
        """Go to the epoch; at the first of a stage, and after a resume, set the splits and log what changed."""
        dataloader = runner.train_loop.dataloader
        sampler = dataloader.batch_sampler
        sampler.set_epoch(runner.epoch)
        if hasattr(dataloader.dataset, 'set_epoch'):
            dataloader.dataset.set_epoch(runner.seed, runner.epoch)
        if sampler.stage is self._stage:
            return
        self._stage = sampler.stage
        runner.train_loop.waiting = Waiting()
        clips = sampler.batch_size * self._stage.shape.batch_factor
        self._log(runner, self._set_splits(clips, sampler.batch_size, self._bn_clips(runner)))

    def _set_splits(self, batch_size: int, base_batch: int, bn_clips: int) -> str:
        """Set splits and groups of processes for a stage's batch per GPU; what was set."""
        done = []
        for across in (False, True):
            layers = [layer for layer in self.layers if layer.across_processes == across]
            if not layers:
                continue
            clips = base_batch * get_world_size() if across else bn_clips
            splits, processes = norm_groups(batch_size, clips, get_world_size())
            group = bn_process_group(processes) if processes > 1 else None
            set_bn_splits(layers, splits, group)
            text = f'{splits} BN split{"s" if splits > 1 else ""} of {batch_size // splits} clips'
            if group is not None:
                text += f', synchronised across {dist.get_world_size(group)} processes'
            elif batch_size < clips:
                text += f' (fewer than bn_base_size = {clips}, and no other process to share with: plain BN)'
            done.append(text + (', of synchronised layers' if across else ''))
        return '; '.join(done) or 'no BN'

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Hand the batch's shape to the visualizer, as ``multigrid/num_frames``, ``/crop_size``, ``/batch_size``."""
        if batch_idx == 0:
            # The random numbers of the model (dropout) and of the whole batch (RandomBatchAugment draws from numpy)
            # follow from the epoch too, so that a resume needs no state. Not earlier: a data loader draws one for its
            # workers when it starts them.
            torch.manual_seed(runner.seed + 1000003 * runner.epoch + get_rank())
            numbers = np.random.SeedSequence((runner.seed, runner.epoch, get_rank(), 1)).generate_state(2).tolist()
            random.seed(numbers[0])
            np.random.seed(numbers[1])
        sampler = runner.train_loop.dataloader.batch_sampler
        shape = sampler.shape_at(batch_idx)
        for name, value in (('num_frames', shape.num_frames), ('crop_size', shape.crop_size),
                            ('batch_size', sampler.batch_size * shape.batch_factor)):
            runner.message_hub.update_scalar(f'train/multigrid/{name}', value)

    def after_train_epoch(self, runner) -> None:
        """At the end of a stage, log whether the loader or the network was its limit; a resumed run counts from there."""
        loop, stages = runner.train_loop, runner.train_loop.dataloader.batch_sampler.stages
        if runner.epoch + 1 == self._stage.end:
            loader = loop.dataloader
            text = loop.waiting.text(loader.num_workers, store_command(runner.cfg, loader.dataset))
            runner.logger.info(f'Multigrid stage {stages.index(self._stage) + 1}/{len(stages)} is trained: {text}')

    @staticmethod
    def _check_sizes(runner, model: torch.nn.Module) -> None:
        if not hasattr(model, 'backbone'):
            return
        stages = runner.train_loop.dataloader.batch_sampler.stages
        sizes = {shape[1:] for stage in stages for shape in stage.shapes}
        base = getattr(runner.train_loop.dataloader.dataset, 'base_shape',
                       max(sizes))
        check_sizes(model, list(sizes), base)

    @staticmethod
    def _log_norms(runner, model: torch.nn.Module) -> None:
        model.train()  # as every epoch begins; a network keeps its frozen layers in evaluation mode
        report = norm_report(model)
        runner.logger.info(f'Multigrid: {report}')
        if report.unknown:
            names = ', '.join(f'{name} ({kind})' for name, kind in islice(report.unknown.items(), 10))
            runner.logger.warning(
                f'Multigrid: {len(report.unknown)} batch norms do not follow the stages, whose batches their statistics '
                f'are over as a whole, since their classes are not known: {names}')

    def _log(self, runner, norm: str) -> None:
        sampler, stage = runner.train_loop.dataloader.batch_sampler, self._stage
        shapes = ', '.join(f'{sampler.batch_size * s.batch_factor} x {s.num_frames} x {s.crop_size}'
                           for s in stage.shapes)
        lr = ''
        for scheduler in runner.param_schedulers or []:
            if isinstance(scheduler, MultigridLR):
                lr = f'lr factor {scheduler.schedule(stage.begin):.4g} at its start, '
        runner.logger.info(
            f'Multigrid stage {sampler.stages.index(stage) + 1}/{len(sampler.stages)}, epochs {stage.begin + 1} to '
            f'{stage.end}: batches per GPU (clips x frames x crop) {shapes}; {lr}{norm}, {len(sampler)} iterations '
            'per epoch')
