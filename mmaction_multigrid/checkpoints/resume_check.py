"""Check that a resumed run continues with the same schedule."""

import json
from typing import Any, Dict, List, Optional

from mmengine.dist import get_world_size
from mmengine.hooks import Hook

from mmaction.registry import HOOKS
from ..core.batch_sampler import is_positive_int
from ..core.hook import MultigridHook
from ..core.lr import MultigridLR
from ..core.stages import bn_group_size, stages_to_config

USE_WEIGHTS = (
    "To start from the checkpoint's weights alone, which always works, give "
    'it as load_from and leave resume out: tools/train.py CONFIG '
    '--cfg-options load_from=CHECKPOINT')


def fingerprint(runner, bn_base_size: Optional[int]) -> dict:
    """Collect the settings that must not change on a resume.

    Settings that leave the iterations as they are may change: ``num_workers``,
    ``eval_freq``, ``precise_bn`` and ``grid_store``, for example.

    Args:
        runner (Runner): A runner with its loop, optimizer and schedulers.
        bn_base_size (int, optional): That of ``MultigridHook``.

    Returns:
        dict: ``batch`` (clips in the base batch of all processes),
        ``stages``, ``lr`` (arguments of each ``MultigridLR``),
        ``bn_base_size`` and ``accumulative_counts``, in plain dicts, lists
        and numbers.
    """
    sampler = runner.train_loop.batch_sampler
    settings = dict(
        batch=sampler.batch_size * get_world_size(),
        stages=stages_to_config(sampler.stages),
        lr=[
            dict(
                points=scheduler.points,
                **scheduler.warmup,
                base=getattr(scheduler, 'base', {}),
                clock=[span[:4] for span in getattr(scheduler, 'clock', ())])
            for scheduler in runner.param_schedulers or []
            if isinstance(scheduler, MultigridLR)
        ],
        bn_base_size=bn_group_size(bn_base_size, sampler.batch_size),
        accumulative_counts=getattr(runner.optim_wrapper,
                                    '_accumulative_counts', 1))
    # Tuples become lists, as in a fingerprint from a checkpoint, and plain
    # types pass torch's weights_only.
    return json.loads(json.dumps(settings, default=repr))


def flatten(value: Any, where: str = '') -> Dict[str, Any]:
    """Map the place of each value in nested dicts and lists to the value."""
    if isinstance(value, dict):
        entries = {f'{where}.{key}': entry for key, entry in value.items()}
    # A list of numbers, such as a shape, is compared as one value.
    elif isinstance(value, list) and any(
            isinstance(entry, (list, dict)) for entry in value):
        entries = {f'{where}[{i}]': entry for i, entry in enumerate(value)}
    else:
        return {where: value}
    return {
        place: inner
        for key, entry in entries.items()
        for place, inner in flatten(entry, key).items()
    }


def differences(before: dict, now: dict) -> List[str]:
    """Describe every setting but the batch that differs.

    Args:
        before (dict): Fingerprint in the checkpoint.
        now (dict): Fingerprint of this run.
    """
    before, now = flatten(before), flatten(now)
    return [
        f'{place[1:]}: {before.get(place)} in the checkpoint, '
        f'{now.get(place)} now' for place in {
            **before,
            **now
        } if before.get(place) != now.get(place) and place != '.batch'
    ]


def check_resume(before: Any, now: dict) -> None:
    """Refuse a checkpoint whose settings differ from those of this run.

    The batch is not compared, because it may differ with auto_scale_lr.

    Args:
        before: Fingerprint in the checkpoint, or None.
        now (dict): Fingerprint of this run.

    Raises:
        ValueError: They differ, or the checkpoint has none. The message
            names the differences.
    """
    if not isinstance(before, dict):
        raise ValueError('resume: the checkpoint holds no multigrid schedule '
                         "(meta['multigrid']): it comes from a run without "
                         'multigrid or of an earlier version. '
                         f'{USE_WEIGHTS}')
    lines = differences(before, now)
    if lines:
        raise ValueError('resume: the checkpoint was trained with other '
                         'settings, which cannot change during a run:\n  ' +
                         '\n  '.join(lines) + '\nRestore the settings of the '
                         f'checkpoint to resume it. {USE_WEIGHTS}')


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Write the schedule into checkpoints, and compare it on a resume.

    If the config does not set ``bn_base_size``, a resumed run uses that of its
    checkpoint.
    """

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Write the fingerprint as ``meta['multigrid']``."""
        checkpoint['meta']['multigrid'] = fingerprint(
            runner,
            _multigrid_hook(runner).bn_base_size)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuse to resume with another schedule or joint batch.

        Raises:
            ValueError: The checkpoint comes from a run with another schedule
                or without multigrid, or its batch of all processes differs
                and ``auto_scale_lr`` is off.
        """
        if not runner._resume or runner._train_loop is None:
            return
        # Runner.resume() before train() builds them after this hook only.
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        if runner.param_schedulers is not None:
            runner.param_schedulers = runner.build_param_scheduler(
                runner.param_schedulers)
        before = checkpoint.get('meta', {}).get('multigrid')
        hook = _multigrid_hook(runner)
        # Its default follows the batch per GPU, which changes with the number
        # of processes.
        if (hook.bn_base_size is None and isinstance(before, dict)
                and is_positive_int(before.get('bn_base_size'))):
            hook.bn_base_size = before['bn_base_size']
        now = fingerprint(runner, hook.bn_base_size)
        check_resume(before, now)
        expected, batch = before['batch'], now['batch']
        if batch != expected and not (runner.auto_scale_lr or {}).get(
                'enable', False):
            raise ValueError(
                f'train_dataloader.batch_size x processes = {batch}: the '
                f'checkpoint was trained with {expected}, which the lr is '
                'for. Keep that product, or let the lr follow it: '
                'auto_scale_lr = dict(enable=True, '
                f'base_batch_size={expected}), or tools/train.py '
                '--auto-scale-lr')


def _multigrid_hook(runner) -> MultigridHook:
    return next(h for h in runner.hooks if isinstance(h, MultigridHook))
