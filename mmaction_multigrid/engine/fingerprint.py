"""What the course of a run follows from: written into its checkpoints, compared by a resume."""

import json
from typing import Any, List

from mmengine.dist import get_world_size

from ..schedule import stages_to_config
from .lr import MultigridLR

MAX_LINES = 8
USE_WEIGHTS = ("To start from the checkpoint's weights alone, which always works, give it as load_from and leave resume "
               'out: tools/train.py CONFIG --cfg-options load_from=CHECKPOINT')


def fingerprint(runner, bn_base_size: int) -> dict:
    """The settings of a run that must be those of its checkpoint to go on, as plain dicts, lists and numbers.

    What changes the speed of training, or what is seen of it, but not its course is left out: ``num_workers``,
    ``eval_freq``, the batches of precise BN, the grid store, logs.

    Args:
        runner (Runner): A runner whose train loop, optimizer and schedulers are built.
        bn_base_size (int): Clips over which batch-norm statistics are computed.

    Returns:
        dict: ``batch`` (clips in the base batch of all processes), ``stages`` as ``MultigridBatchSampler`` takes them,
        ``lr`` (arguments of each ``MultigridLR``), ``bn_base_size``, ``accumulative_counts``.
    """
    sampler = runner.train_loop.dataloader.batch_sampler
    settings = dict(
        batch=sampler.batch_size * get_world_size(),
        stages=stages_to_config(sampler.stages),
        lr=[scheduler.settings for scheduler in runner.param_schedulers or [] if isinstance(scheduler, MultigridLR)],
        bn_base_size=bn_base_size,
        accumulative_counts=getattr(runner.optim_wrapper, '_accumulative_counts', 1))
    return json.loads(json.dumps(settings, default=repr))  # tuples become lists


def differences(before: Any, now: Any, where: str = '') -> List[str]:
    """A line for every setting that differs between two fingerprints: its key and both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        lines = []
        for key in dict.fromkeys([*before, *now]):
            lines += differences(before.get(key), now.get(key), f'{where}.{key}' if where else key)
        return lines
    if _is_nested(before) and _is_nested(now):
        lines = [] if len(before) == len(now) else [_line(where, f'of length {len(before)}', f'of length {len(now)}')]
        for i, pair in enumerate(zip(before, now)):
            lines += differences(*pair, f'{where}[{i}]')
        return lines
    return [] if before == now else [_line(where, before, now)]


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(entry, (list, dict)) for entry in value)


def _line(where: str, before: Any, now: Any) -> str:
    before, now = (text if len(text) <= 60 else f'{text[:57]}...' for text in (str(before), str(now)))
    return f'{where}: {before} in the checkpoint, {now} now'


def check_resume(before: Any, now: dict) -> None:
    """Refuse to go on from a checkpoint of other settings than this run's, the batch aside.

    Args:
        before: The checkpoint's fingerprint, or None.
        now (dict): This run's.

    Raises:
        ValueError: They differ, or the checkpoint has none. The message names what differs and what to do.
    """
    if not isinstance(before, dict):
        raise ValueError(
            "resume: the checkpoint holds no multigrid schedule (meta['multigrid']). It is of a run without multigrid, "
            f'or of an earlier version, and its epochs and lr are not of this schedule. {USE_WEIGHTS}')
    lines = differences({**before, 'batch': None}, {**now, 'batch': None})
    if not lines:
        return
    more = [f'and {len(lines) - MAX_LINES} more'] if len(lines) > MAX_LINES else []
    raise ValueError('\n  '.join(['resume: the checkpoint was trained with other settings, and a run cannot change them '
                                  'in its midst:', *lines[:MAX_LINES], *more]) +
                     f'\nGo back to what the checkpoint has to resume it. {USE_WEIGHTS}')
