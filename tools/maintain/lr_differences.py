"""How far the lr of multigrid is from mmengine's own; used by the survey of stock configs and by tests."""

from types import SimpleNamespace
from typing import List, Sequence

import torch
from mmaction.registry import PARAM_SCHEDULERS
from mmengine.config import Config

from mmaction_multigrid import MultigridSchedule, apply_multigrid, multigrid_schedule
from mmaction_multigrid.core.lr import PiecewiseLR


def mmengine_lr(schedulers: Sequence[dict], max_epochs: int, epoch_length: int, lr: float = 1.) -> List[float]:
    """lr of every iteration of a run of the stock Runner, from mmengine's schedulers and nothing else."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    built = [PARAM_SCHEDULERS.build(dict({'end': max_epochs}, **config),
                                    default_args=dict(optimizer=optimizer, epoch_length=epoch_length))
             for config in schedulers]
    seen = []
    for _ in range(max_epochs):
        for _ in range(epoch_length):
            seen.append(optimizer.param_groups[0]['lr'])
            optimizer.step()
            for scheduler in built:
                if not scheduler.by_epoch:
                    scheduler.step()
        for scheduler in built:
            if scheduler.by_epoch:
                scheduler.step()
    return seen


def multigrid_lr(cfg: Config, epoch_length: int, lr: float = 1.) -> PiecewiseLR:
    """The schedule that a multigrid config trains with, in a run whose base epochs have so many iterations."""
    (config, ) = apply_multigrid(cfg).param_scheduler
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = PARAM_SCHEDULERS.build(config, default_args=dict(optimizer=optimizer, epoch_length=epoch_length))
    sampler = SimpleNamespace(num_clips=epoch_length, batch_size=1)
    scheduler.follow(SimpleNamespace(epoch_at=float, iter=0, batch_sampler=sampler))
    return scheduler.schedules[0]


def differences(cfg: Config, epoch_length: int, lr: float = 1.) -> List[float]:
    """Differences between multigrid's lr over its factor for the batch and mmengine's, in shares of the base lr.

    One for every iteration of base training after the warm-up, which multigrid does not stretch.
    """
    schedule, _ = multigrid_schedule(cfg)
    ours = multigrid_lr(cfg, epoch_length, lr)
    found = []
    for iteration, expected in enumerate(mmengine_lr(cfg.param_scheduler, schedule.base.max_epochs, epoch_length, lr)):
        base_epoch = iteration / epoch_length
        if base_epoch >= schedule.base.warmup_epochs:
            epoch = _corresponding(schedule, ours, base_epoch)
            factor = next((schedule.lr_factor(stage) for stage in schedule.stages if stage.begin <= epoch < stage.end), 1)
            found.append(abs(ours.without_warmup(epoch) / factor - expected / lr))
    return found


def _corresponding(schedule: MultigridSchedule, ours: PiecewiseLR, base_epoch: float) -> float:
    """The epoch of multigrid training that stands for one of base training."""
    span = next((span for span in getattr(ours, 'clock', ()) if base_epoch < span.base_end - 1e-9), None)
    if span is not None:
        return max(span.begin, span.epoch(base_epoch))
    # Steps alone: they come where lr steps begin, the last one amid fine-tuning.
    lr_step = schedule.base.num_decays(base_epoch)
    if lr_step == len(schedule.base.milestones):
        return schedule.max_epochs
    return next(stage.begin for stage in schedule.stages if stage.lr_step == lr_step)
