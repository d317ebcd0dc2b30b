"""The runs of the study: which config each trains, and what of it is changed.

Imported by tools/study/run.py and tools/study/report.py; nothing to run here.
"""

import random
from pathlib import Path
from typing import Callable, Dict, Tuple

from mmengine.config import Config

from mmaction_multigrid import MultigridSchedule, apply_multigrid, multigrid_schedule, register_transform_rule
from mmaction_multigrid.schedule import count_iterations

ROOT = Path(__file__).resolve().parents[2]
# (model, data): the baseline's config and the multigrid one.
CONFIGS: Dict[Tuple[str, str], Tuple[str, str]] = {
    (model, data): (f'{name}_{base}.py', f'{name}-multigrid_{ours}.py')
    for data, base, ours in (
        ('digits', '1xb8-16x1x1-steplr-4e_moving-digits16-rgb', '1xb8-16x1x1-steplr-6e_moving-digits16-rgb'),
        ('noisy', '1xb4-16x1x1-steplr-32e_noisy-digits30-rgb', '1xb4-16x1x1-steplr-48e_noisy-digits30-rgb'),
        ('utd', '1xb4-16x4x1-steplr-70e_utd-mhad-depth-rgb', '1xb4-16x4x1-steplr-105e_utd-mhad-depth-rgb'))
    for model, name in (('slowfast', 'slowfast/slowfast-tiny'), ('i3d', 'i3d/i3d-tiny'),
                        ('i3d-nl', 'i3d/i3d-tiny-nl-dot-product'))
}
CONFIGS.update({(model, 'digits'): (f'{model}/{model}-tiny_1xb8-16x1x1-10e_moving-digits16-rgb.py',
                                    f'{model}/{model}-tiny-multigrid_1xb8-16x1x1-15e_moving-digits16-rgb.py')
                for model in ('timesformer', 'mvit')})
# Full-size networks on a small data set, for a GPU: with the pipelines of their Kinetics-400 configs.
FULL_SIZE = {'slowfast-r50': 'slowfast/slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py',
             'i3d-r50': 'i3d/i3d_r50-multigrid_8xb8-32x2x1-150e_kinetics400-rgb.py'}
CONFIGS.update({(model, 'utd'): (name, name) for model, name in FULL_SIZE.items()})
# UTD-MHAD's actions in two parts, drawn once: to train on 20 of them, and to fine-tune on the other 7.
FINE_TUNED = sorted(random.Random(0).sample(range(27), 7))
FOLDERS = {data: Path('data') / name for data, name in (
    ('digits', 'moving_digits16'), ('ordered', 'moving_digits30'), ('noisy', 'noisy_digits30'),
    ('utd', 'utd_mhad_depth27'))}
# What makes each generated set.
MADE = dict(
    digits='--classes 16 --num-train 5000 --num-val 1000 --num-frames 16',
    ordered='--classes 30 --parts 2 --distractors 1 --shake 1 --num-train 2500 --num-val 1000 --num-frames 16',
    noisy='--classes 30 --parts 2 --shake 1 --noise 80 --num-train 750 --num-val 900 --num-frames 16')
PARTS = Path('data/utd_mhad_depth27_parts')
ACTIONS = dict(utd20=[label for label in range(27) if label not in FINE_TUNED], utd7=FINE_TUNED)


def store_of(cfg: Config) -> str:
    """The grid store beside a config's training videos."""
    return cfg.train_dataloader.dataset.data_prefix.video.rstrip('/') + '_store'


def write_lists(data: str) -> None:
    """Write the annotation lists of a part of UTD-MHAD, labels counted from 0."""
    PARTS.mkdir(exist_ok=True)
    for name in ('train', 'val'):
        lines = [line.split() for line in (FOLDERS['utd'] / f'{name}.txt').read_text().splitlines()]
        kept = [f'{path} {ACTIONS[data].index(int(label))}' for path, label in lines if int(label) in ACTIONS[data]]
        (PARTS / f'{data}_{name}.txt').write_text('\n'.join(kept) + '\n')


def load(model: str, data: str, multigrid: bool) -> Config:
    """The shipped config of a model on a data set or a part of it."""
    name = CONFIGS[model, dict(ordered='digits', **dict.fromkeys(ACTIONS, 'utd')).get(data, data)][multigrid]
    cfg = Config.fromfile(str(ROOT / 'configs' / 'recognition' / name))
    if model in FULL_SIZE:
        on_utd_mhad(cfg)
        if not multigrid:
            cfg.pop('multigrid')
            cfg.pop('runner_type')
    if data == 'ordered':
        cfg.model.cls_head.num_classes = 30
        train_epochs(cfg, 10)
        for loader, part in ((cfg.train_dataloader, 'train'), (cfg.val_dataloader, 'val')):
            loader.dataset.update(ann_file=f'{FOLDERS[data]}/{part}.txt', data_prefix=dict(video=str(FOLDERS[data])))
    if data in ACTIONS:
        cfg.model.cls_head.num_classes = len(ACTIONS[data])
        cfg.train_dataloader.dataset.ann_file = str(PARTS / f'{data}_train.txt')
        cfg.val_dataloader.dataset.ann_file = str(PARTS / f'{data}_val.txt')
    return cfg


def on_utd_mhad(cfg: Config) -> None:
    """Give a Kinetics-400 config the data of the small ones, a warm-up of two epochs, and few validations."""
    small = Config.fromfile(str(ROOT / 'configs' / 'recognition' / CONFIGS['i3d', 'utd'][0]))
    cfg.model.cls_head.num_classes = small.model.cls_head.num_classes
    for loader in ('train_dataloader', 'val_dataloader'):
        theirs = small[loader].dataset
        cfg[loader].dataset.update(ann_file=theirs.ann_file, data_prefix=theirs.data_prefix)
    for scheduler in cfg.param_scheduler[:-1]:
        scheduler.end = 2
    cfg.train_cfg.update(val_begin=4, val_interval=4)


def train_epochs(cfg: Config, epochs: int) -> None:
    """Train for another number of epochs, decay points moved in proportion, and validate no more than ten times."""
    main = cfg.param_scheduler[-1]
    if 'milestones' in main:
        main.milestones = [round(step * epochs / cfg.train_cfg.max_epochs) for step in main.milestones]
    else:
        main.T_max = epochs
    cfg.train_cfg.max_epochs = main.end = epochs
    if epochs > 10 * cfg.train_cfg.val_interval:
        cfg.train_cfg.val_begin = cfg.train_cfg.val_interval = cfg.default_hooks.checkpoint.interval = epochs // 10


def resize_only(cfg: Config) -> None:
    """Progressive resizing as image models use it: crops of 1/2, 0.7 and 1, full frames, one batch size and lr."""
    schedule, _ = multigrid_schedule(cfg)
    base, epochs = schedule.base, schedule.base.max_epochs
    decay = round((base.milestones or (0.8 * epochs, ))[-1])
    edges = [0, decay // 3, 2 * decay // 3, decay, epochs]
    crops = [schedule.grid.scale((1., factor)).crop_size for factor in (0.5, 0.5**0.5, 1., 1.)]
    # A curve is followed as it is; a step's place would be rounded.
    factors = [1., 1., 1., base.decay(1)] if base.milestones else [None] * 4
    cfg.multigrid.pop('cycle_ends', None)
    cfg.multigrid.stages = [
        dict(dict(epochs=end - begin, batch_factor=1, crop_size=size), **({'lr_factor': factor} if factor else {}))
        for begin, end, size, factor in zip(edges, edges[1:], crops, factors) if end > begin]


def fixed_interval(cfg: Config) -> None:
    """Clips of fewer frames keep the base config's frame interval instead of drawing one."""
    register_transform_rule('SampleFrames', frames=['clip_len'])


def base_batch_norm(cfg: Config) -> None:
    """Batch-norm statistics over the base batch, however large."""
    cfg.multigrid.bn_base_size = cfg.train_dataloader.batch_size


def end_decayed(cfg: Config, gamma: float) -> Config:
    """Train the last epoch at the decayed lr where the fine-tuning stage was rounded away: four epochs are few."""
    lr = cfg.param_scheduler[0]
    factor = lr.points[-1][1]
    if factor > gamma:
        last = cfg.train_cfg.max_epochs - 1
        lr.points = [point for point in lr.points if point[0] != last] + [(last, factor * gamma)]
    return cfg


def option(**settings) -> Callable[[Config], None]:
    """Other settings of ``multigrid``."""
    return lambda cfg: cfg.multigrid.update(settings)


def from_store(**settings) -> Callable[[Config], None]:
    """Other settings of ``multigrid``, and coarse clips from a grid store."""
    return lambda cfg: cfg.multigrid.update(settings, grid_store=store_of(cfg))


# Name: (from the multigrid config?, what changes it, what the tables call it).
VARIANTS: Dict[str, tuple] = {
    'baseline': (False, None, 'baseline'),
    'multigrid': (True, None, 'multigrid (default)'),
    'baseline-short': (False, None, "baseline, multigrid's number of iterations"),
    'store': (True, from_store(), 'multigrid (default), from a grid store'),
    'store-bn-8': (True, from_store(bn_base_size=8), 'the same, bn_base_size 8'),
    'store-auto-bn-8': (True, from_store(max_batch_factor='auto', bn_base_size=8), 'the same, bn_base_size 8'),
    'store-auto': (True, from_store(max_batch_factor='auto'), "max_batch_factor 'auto'"),
    **{f'store-cap-{cap}': (True, from_store(max_batch_factor=cap), f'max_batch_factor {cap}') for cap in (8, 4, 2, 1)},
    'store-sqrt': (True, from_store(lr_scaling='sqrt'), "lr_scaling 'sqrt'"),
    'store-epochs-1': (True, from_store(epoch_factor=1.), 'multigrid from a grid store, epoch_factor 1'),
    'store-epochs-2': (True, from_store(epoch_factor=2.), 'epoch_factor 2'),
    'store-cap-1-epochs-1.85': (True, from_store(max_batch_factor=1, epoch_factor=1.85), 'the same, epoch_factor 1.85'),
    'store-cap-1-short': (True, from_store(max_batch_factor=1, long_cycle=False, epoch_factor=1.25),
                          'max_batch_factor 1, short cycle only, epoch_factor 1.25'),
    'auto': (True, option(max_batch_factor='auto'), "max_batch_factor 'auto'"),
    'uncapped': (True, option(max_batch_factor=None), 'without a cap'),
    'uncapped-no-lr-scaling': (True, option(max_batch_factor=None, lr_scaling='none'), "the same, lr_scaling 'none'"),
    **{f'cap-{cap}': (True, option(max_batch_factor=cap), f'max_batch_factor {cap}') for cap in (8, 4, 2, 1)},
    **{f'cap-{cap}-long': (True, option(max_batch_factor=cap, short_cycle=False),
                           f'max_batch_factor {cap}, long cycle only') for cap in (4, 2)},
    'bn-8': (True, option(bn_base_size=8), 'from videos, bn_base_size 8'),
    'bn-batch': (True, base_batch_norm, 'bn_base_size as large as the base batch'),
    'long': (True, option(short_cycle=False), 'long cycle only'),
    'short': (True, option(long_cycle=False), 'short cycle only'),
    'stage': (True, option(short_cycle_reference='stage'), "short_cycle_reference='stage'"),
    'resize': (True, resize_only, 'progressive resizing of the crop only'),
    'plain-bn': (True, option(bn_base_size=10**6), 'plain BN over the whole batch'),
    'no-precise-bn': (True, option(precise_bn=0), 'no precise BN'),
    'fixed-interval': (True, fixed_interval, 'fixed frame interval'),
    'no-lr-scaling': (True, option(lr_scaling='none'), 'no linear lr scaling'),
    'epochs-1': (True, option(epoch_factor=1.), 'epoch_factor 1'),
    'epochs-2': (True, option(epoch_factor=2.), 'epoch_factor 2'),
}


def set_stride(cfg: Config, stride: int) -> None:
    """Another total spatial stride than 8: of the last stage (16) and of the pooling, too (32)."""
    strides = {8: (1, 1), 16: (1, 2), 32: (2, 2)}
    pool, last = strides[stride]
    backbone = cfg.model.backbone
    for pathway in [backbone.slow_pathway, backbone.fast_pathway] if 'slow_pathway' in backbone else [backbone]:
        pathway.pool1_stride_s = pool
        pathway.spatial_strides = (2, 2, last)


def set_conditions(cfg: Config, conditions: Dict[str, float]) -> None:
    """Change what both runs of a pair share: clips, epochs, lr, stride, base batch (and lr in proportion)."""
    for key, value in conditions.items():
        if key == 'clips':
            cfg.train_dataloader.dataset.indices = int(value)
        elif key == 'epochs':
            train_epochs(cfg, int(value))
        elif key == 'lr':
            cfg.optim_wrapper.optimizer.lr = value
        elif key == 'stride':
            set_stride(cfg, int(value))
        elif key == 'batch':
            cfg.optim_wrapper.optimizer.lr *= value / cfg.train_dataloader.batch_size
            cfg.train_dataloader.batch_size = int(value)
        else:
            raise ValueError(f'condition {key!r} (value {value!r}): allowed are clips, epochs, lr, stride, '
                             'batch')


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


def count_clips(cfg: Config) -> int:
    """Clips of the train list, or as many of them as the config takes."""
    dataset = cfg.train_dataloader.dataset
    return dataset.get('indices') or len(Path(dataset.ann_file).read_text().splitlines())


def iterations_of(cfg: Config, clips: int) -> int:
    """Iterations of a multigrid config on one process."""
    return sum(count_iterations(multigrid_schedule(cfg)[0].stages, cfg.train_dataloader.batch_size, clips).values())


def build(model: str, data: str, variant: str, conditions: Dict[str, float]) -> Tuple[Config, MultigridSchedule]:
    """The config of a run, resolved if multigrid trains it, and the schedule that the run is compared by.

    Raises:
        ValueError: There is no such variant or condition.
    """
    if variant not in VARIANTS:
        raise ValueError(f'variant {variant!r}: allowed are {", ".join(VARIANTS)}')
    multigrid, change, _ = VARIANTS[variant]
    ours = load(model, data, True)
    set_conditions(ours, conditions)
    if multigrid:
        changed = change(ours) if change else None
        schedule, _ = multigrid_schedule(ours)
        resolved = changed or apply_multigrid(ours)
        return end_decayed(resolved, schedule.base.decay(1)) if schedule.base.milestones else resolved, schedule
    cfg = load(model, data, False)
    set_conditions(cfg, conditions)
    if change:
        change(cfg)
    if variant == 'baseline-short':
        clips = count_clips(cfg)
        length = clips // cfg.train_dataloader.batch_size
        stop_at(cfg, iterations_of(ours, clips), length)
    return cfg, multigrid_schedule(ours)[0]
