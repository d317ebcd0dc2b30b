"""Compare the lr of multigrid with mmengine's own."""

from types import SimpleNamespace

import torch
from mmaction_multigrid import apply_multigrid, multigrid_schedule

from mmaction.registry import PARAM_SCHEDULERS


def _build(configs, epoch_length, lr):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    arguments = dict(optimizer=optimizer, epoch_length=epoch_length)
    return optimizer, [
        PARAM_SCHEDULERS.build(config, default_args=arguments)
        for config in configs
    ]


def mmengine_lr(schedulers, max_epochs, epoch_length, lr=1.):
    """Compute the lr of every iteration of a run of the stock Runner."""
    optimizer, built = _build([{
        'end': max_epochs,
        **config
    } for config in schedulers], epoch_length, lr)
    seen = []
    for iteration in range(1, max_epochs * epoch_length + 1):
        seen.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for by_epoch in (False, True):
            for scheduler in built:
                if scheduler.by_epoch == by_epoch and not (
                        by_epoch and iteration % epoch_length):
                    scheduler.step()
    return seen


def multigrid_lr(cfg, epoch_length, lr=1.):
    """Compute the lr of multigrid, for base epochs of so many iterations."""
    _, (scheduler, ) = _build(
        apply_multigrid(cfg).param_scheduler, epoch_length, lr)
    sampler = SimpleNamespace(num_clips=epoch_length, batch_size=1)
    scheduler.follow(
        SimpleNamespace(epoch_at=float, iter=0, batch_sampler=sampler))
    return scheduler.schedules[0]


def differences(cfg, epoch_length, lr=1.):
    """Compare multigrid's lr over its batch factor with mmengine's.

    Returns:
        list: Differences in shares of the base lr, for every iteration of base
        training after the warm-up, which multigrid does not stretch.
    """
    schedule, _ = multigrid_schedule(cfg)
    ours, base = multigrid_lr(cfg, epoch_length, lr), schedule.base
    found = []
    for iteration, expected in enumerate(
            mmengine_lr(cfg.param_scheduler, base.max_epochs, epoch_length,
                        lr)):
        base_epoch = iteration / epoch_length
        if base_epoch >= base.warmup_epochs:
            epoch = _corresponding(schedule, ours, base_epoch)
            factor = next((schedule.lr_factor(stage)
                           for stage in schedule.stages
                           if stage.begin <= epoch < stage.end), 1)
            found.append(
                abs(ours.without_warmup(epoch) / factor - expected / lr))
    return found


def _corresponding(schedule, ours, base_epoch):
    """Find the epoch of multigrid training for one of base training."""
    span = next((span for span in getattr(ours, 'clock', ())
                 if base_epoch < span.base_end - 1e-9), None)
    if span is not None:
        return max(span.begin, span.epoch(base_epoch))
    # Steps alone: where lr steps begin, the last one amid fine-tuning.
    lr_step = schedule.base.num_decays(base_epoch)
    if lr_step == len(schedule.base.milestones):
        return schedule.max_epochs
    return next(stage.begin for stage in schedule.stages
                if stage.lr_step == lr_step)
