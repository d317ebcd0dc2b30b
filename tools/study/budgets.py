"""Schedules that fit into a share of what the baseline computes.

Imported by tools/study/variants.py; nothing to run here.
"""

from typing import Callable

from mmengine.config import Config

from mmaction_multigrid import MultigridSchedule, multigrid_schedule

CLOSE = 1.03  # of the budget: epochs are whole


def computing(schedule: MultigridSchedule) -> float:
    """Frames x pixels of all clips that a schedule shows, over those that base training shows."""
    base, total = schedule.base, 0.
    for stage in schedule.stages:
        clips = sum(shape.batch_factor for shape in stage.shapes)
        pixels = sum(shape.batch_factor * shape.num_frames * shape.crop_size**2 for shape in stage.shapes)
        total += stage.epochs * pixels / clips
    return total / (base.max_epochs * base.num_frames * base.crop_size**2)


def fit(cfg: Config, budget: float, set_epochs: Callable[[Config, int], None]) -> None:
    """Set the most epochs that a budget allows; of a schedule that is longer than any budget, one.

    Args:
        cfg: A multigrid config.
        budget: Share of what base training computes.
        set_epochs: Sets the number of epochs of a config.
    """
    for epochs in range(4 * cfg.train_cfg.max_epochs, 0, -1):
        set_epochs(cfg, epochs)
        if computing(multigrid_schedule(cfg)[0]) <= CLOSE * budget:
            return


def set_epoch_factor(cfg: Config, epochs: int) -> None:
    """Have multigrid train for so many epochs."""
    cfg.multigrid.epoch_factor = epochs / cfg.train_cfg.max_epochs


def stop_at(cfg: Config, iterations: int, epoch_length: int) -> None:
    """Squeeze the whole lr schedule of a baseline into fewer iterations."""
    share = iterations / (cfg.train_cfg.max_epochs * epoch_length)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=-(-iterations // 4))
    warmup, main = cfg.param_scheduler
    for scheduler in (warmup, main):
        scheduler.pop('convert_to_iter_based', None)
        begin, end = (max(low, round(scheduler.get(key, 0) * epoch_length * share))
                      for key, low in (('begin', 0), ('end', 1)))
        scheduler.update(by_epoch=False, begin=begin, end=end)
    if 'milestones' in main:
        main.milestones = [round(step * epoch_length * share) for step in main.milestones]
    else:
        main.T_max = iterations - main.begin
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=cfg.train_cfg.val_interval)
    cfg.log_processor = dict(by_epoch=False)


def enlarge_batch(cfg: Config, factor: int = 4) -> None:
    """A larger batch, and the lr in proportion, or by the square root for Adam: what one would try first."""
    optimizer = cfg.optim_wrapper.optimizer
    cfg.train_dataloader.batch_size *= factor
    optimizer.lr *= factor**(0.5 if 'Adam' in optimizer.type else 1)
