"""Define the variants of the study: the changes of each to its config.

Imported by tools/study/run.py and demo.py.
"""

from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

from mmaction_multigrid import (MultigridSchedule, apply_multigrid,
                                multigrid_schedule, register_transform_rule)
from mmaction_multigrid.config.describe import (count_base_iterations,
                                                count_iterations)
from mmengine.config import Config
from study_configs import load, train_epochs

# A budget is a share of the baseline's iterations, with all of its lr schedule.
CONDITIONS = ('clips', 'epochs', 'lr', 'stride', 'batch', 'budget')
# Total stride of a small network: strides of its pooling and last stage.
STRIDES = {8: (1, 1), 16: (1, 2), 32: (2, 2)}


def resize_only(cfg: Config) -> None:
    """Resize progressively, as image models do it.

    Crops of 1/2, 0.7 and 1, full frames, one batch size and lr.
    """
    schedule, _ = multigrid_schedule(cfg)
    base, epochs = schedule.base, schedule.base.max_epochs
    decay = round((base.milestones or (0.8 * epochs, ))[-1])
    edges = [0, decay // 3, 2 * decay // 3, decay, epochs]
    crops = [
        schedule.grid.scale((1., factor)).crop_size
        for factor in (0.5, 0.5**0.5, 1., 1.)
    ]
    # A curve is followed as it is; a step's place would be rounded.
    factors = [{}] * 4
    if base.milestones:
        factors = [
            dict(lr_factor=factor) for factor in (1., 1., 1., base.decay(1))
        ]
    cfg.multigrid.pop('cycle_ends', None)
    cfg.multigrid.stages = [
        dict(epochs=end - begin, batch_factor=1, crop_size=size, **factor)
        for begin, end, size, factor in zip(edges, edges[1:], crops, factors)
        if end > begin
    ]


def end_decayed(cfg: Config, gamma: float) -> Config:
    """Train the last epoch at the decayed lr.

    The fine-tuning stage may be rounded away: four epochs are few.
    """
    lr, last = cfg.param_scheduler[0], cfg.train_cfg.max_epochs - 1
    factor = lr.points[-1][1]
    if factor > gamma:
        lr.points = [point for point in lr.points if point[0] != last]
        lr.points.append((last, factor * gamma))
    return cfg


def option(**settings) -> Callable[[Config], None]:
    """Change settings of ``multigrid``."""
    return lambda cfg: cfg.multigrid.update(settings)


# Changes of the multigrid config; None: base training.
VARIANTS: Dict[str, Optional[Callable[[Config], None]]] = {
    'baseline': None,
    'baseline-short': None,  # with multigrid's number of iterations
    'multigrid': option(),  # the default
    'auto': option(max_batch_factor='auto'),
    'uncapped': option(max_batch_factor=None),
    'cap-1': option(max_batch_factor=1),
    'cap-2': option(max_batch_factor=2),
    'cap-4': option(max_batch_factor=4),
    'bn-8': option(bn_base_size=8),
    'long': option(short_cycle=False),
    'short': option(long_cycle=False),
    'stage': option(short_cycle_reference='stage'),
    'resize': resize_only,
    'plain-bn': option(bn_base_size=10**6),
    'no-precise-bn': option(precise_bn=0),
    'fixed-interval':
    lambda cfg: register_transform_rule('SampleFrames', frames=['clip_len']),
    'no-lr-scaling': option(lr_scaling='none'),
    'epochs-1': option(epoch_factor=1.),
    'epochs-2': option(epoch_factor=2.),
}


def use_store(cfg: Config) -> None:
    """Load clips from the grid store beside the videos."""
    videos = cfg.train_dataloader.dataset.data_prefix.video
    cfg.multigrid.grid_store = f'{videos.rstrip("/")}_store'


def changes_of(variant: str) -> List[Callable[[Config], None]]:
    """Return the changes of the multigrid config that make a variant.

    Args:
        variant (str): A name in ``VARIANTS``; ``store``, which is the default
            schedule from a grid store; or ``store-NAME``, any other one from
            a grid store.

    Returns:
        list: The changes; none stand for base training.

    Raises:
        ValueError: There is no such variant.
    """
    begin, _, name = variant.partition('-')
    if begin != 'store':
        changes, name = [], variant
    else:
        changes, name = [use_store], name or 'multigrid'
    change = VARIANTS.get(name)
    if name not in VARIANTS or changes and not change:
        raise ValueError(f'variant {variant!r}: allowed are '
                         f'{", ".join(VARIANTS)}, store and store-NAME')
    return [change, *changes] if change else []


def set_conditions(cfg: Config, conditions: Dict[str, float]) -> None:
    """Change the conditions that both runs of a pair share."""
    loader, optimizer = cfg.train_dataloader, cfg.optim_wrapper.optimizer
    if unknown := set(conditions) - {*CONDITIONS}:
        raise ValueError(f'condition {min(unknown)!r}: allowed '
                         f'are {", ".join(CONDITIONS)}')
    if 'clips' in conditions:
        loader.dataset.indices = int(conditions['clips'])
    if 'epochs' in conditions:
        train_epochs(cfg, int(conditions['epochs']))
    optimizer.lr = conditions.get('lr', optimizer.lr)
    if 'batch' in conditions:  # with its lr in proportion
        optimizer.lr *= conditions['batch'] / loader.batch_size
        loader.batch_size = int(conditions['batch'])
    if 'stride' in conditions:
        pool, last = STRIDES[int(conditions['stride'])]
        net = cfg.model.backbone
        for path in ([net.slow_pathway, net.fast_pathway] if
                     ('slow_pathway' in net) else [net]):
            path.update(pool1_stride_s=pool, spatial_strides=(2, 2, last))


def stop_at(cfg: Config, iterations: int) -> None:
    """Squeeze the lr schedule of a baseline into fewer iterations."""
    share = iterations / cfg.train_cfg.max_epochs
    cfg.train_cfg = dict(
        type='IterBasedTrainLoop',
        max_iters=iterations,
        val_interval=-(-iterations // 4))
    warmup, main = cfg.param_scheduler
    for scheduler in (warmup, main):
        scheduler.pop('convert_to_iter_based', None)
        scheduler.update(
            by_epoch=False,
            begin=round(scheduler.get('begin', 0) * share),
            end=max(1, round(scheduler.get('end', 0) * share)))
    if 'milestones' in main:
        main.milestones = [round(step * share) for step in main.milestones]
    else:
        main.T_max = iterations - main.begin
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    cfg.default_hooks.checkpoint.update(
        by_epoch=False, interval=cfg.train_cfg.val_interval)
    cfg.log_processor = dict(by_epoch=False)


def count_clips(cfg: Config) -> int:
    """Count the clips of the train list that the config takes."""
    dataset = cfg.train_dataloader.dataset
    return dataset.get('indices') or len(
        Path(dataset.ann_file).read_text().splitlines())


def build(model: str, data: str, variant: str,
          conditions: Dict[str, float]) -> Tuple[Config, MultigridSchedule]:
    """Build the config of a run.

    Returns:
        tuple: The config, resolved if multigrid trains it, and the schedule
        that the run is compared by.

    Raises:
        ValueError: There is no such variant or condition.
    """
    changes = changes_of(variant)
    cfg = load(model, data, True)
    set_conditions(cfg, conditions)
    for change in changes:
        change(cfg)
    schedule, _ = multigrid_schedule(cfg)
    if changes:
        if 'budget' in conditions:
            raise ValueError(f"condition 'budget' with variant {variant!r}: "
                             'only baseline takes it')
        cfg = apply_multigrid(cfg)
        if schedule.base.milestones:
            end_decayed(cfg, schedule.base.decay(1))
        return cfg, schedule
    cfg = load(model, data, False)
    set_conditions(cfg, conditions)
    counted = schedule, cfg.train_dataloader.batch_size, count_clips(cfg)
    if variant == 'baseline-short':
        stop_at(cfg, count_iterations(*counted))
    elif 'budget' in conditions:
        iterations = count_base_iterations(*counted)
        stop_at(cfg, round(conditions['budget'] * iterations))
    return cfg, schedule
