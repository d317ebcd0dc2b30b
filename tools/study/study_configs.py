"""Build the configs of the study, and make their data.

Imported by tools/study/run.py and demo.py.
"""

import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Sequence, Tuple

import cv2
import decord
import numpy as np
from mmaction_multigrid import (MultigridSchedule, apply_multigrid,
                                multigrid_schedule)
from mmaction_multigrid.config.describe import count_base_iterations
from mmengine.config import Config, ConfigDict

from mmaction.models.backbones.resnet_tsm import ResNetTSM, TemporalShift
from mmaction.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
RECOGNITION = ROOT / 'configs' / 'recognition'
# (model, data): the baseline's config and the multigrid one.
CONFIGS: Dict[Tuple[str, str], Tuple[str, str]] = {
    (model, data): (f'{name}_{base}.py', f'{name}-multigrid_{ours}.py')
    for data, base, ours in (
        ('digits', '1xb8-16x1x1-steplr-4e_moving-digits16-rgb',
         '1xb8-16x1x1-steplr-6e_moving-digits16-rgb'),
        ('noisy', '1xb4-16x1x1-steplr-32e_noisy-digits30-rgb',
         '1xb4-16x1x1-steplr-48e_noisy-digits30-rgb'),
        ('utd', '1xb4-16x4x1-steplr-70e_utd-mhad-depth-rgb',
         '1xb4-16x4x1-steplr-105e_utd-mhad-depth-rgb'),
    ) for model, name in (('slowfast', 'slowfast/slowfast-tiny'),
                          ('i3d', 'i3d/i3d-tiny'),
                          ('i3d-nl', 'i3d/i3d-tiny-nl-dot-product'))
} | {
    (model, 'digits'):
    (f'{model}/{model}-tiny_1xb8-16x1x1-10e_moving-digits16-rgb.py',
     f'{model}/{model}-tiny-multigrid_1xb8-16x1x1-15e_moving-digits16-rgb.py')
    for model in ('timesformer', 'mvit')
} | {(model, 'utd-frames'):
     ('tsn/tsn-tiny_1xb4-1x1x8-steplr-70e_utd-mhad-depth-rgb.py',
      'tsn/tsn-tiny-multigrid_1xb4-1x1x8-steplr-105e_utd-mhad-depth-rgb.py')
     for model in ('tsn', 'tsm')
     } | {(model, 'grid'):
          ('i3d/i3d-tiny_1xb8-16x1x1-cosine-56e_grid-digits-rgb.py',
           'i3d/i3d-tiny-multigrid_1xb8-16x1x1-cosine-84e_grid-digits-rgb.py')
          for model in ('slowfast', 'i3d', 'i3d-nl')}
CONFIGS['slowfast', 'ava'] = tuple(
    f'../detection/slowfast/slowfast-tiny{name}_moving-actors-rgb.py'
    for name in ('_1xb2-16x2x1-steplr-6e', '-multigrid_1xb2-16x2x1-steplr-9e'))
FOLDERS = {
    data: Path('data') / name
    for data, name in (('digits', 'moving_digits16'), ('ordered',
                                                       'moving_digits30'),
                       ('noisy', 'noisy_digits30'), ('demo', 'demo_digits30'),
                       ('utd', 'utd_mhad_depth27'),
                       ('utd-frames', 'utd_mhad_depth27_frames'),
                       ('ava', 'moving_actors'), ('grid', 'grid_digits'))
}
# Arguments of tools/data/moving_digits.py for each set, and of
# moving_actors.py.
MADE = dict(
    ava='',
    digits='--classes 16 --num-train 5000 --num-val 1000 --num-frames 16',
    ordered='--classes 30 --parts 2 --distractors 1 --shake 1 '
    '--num-train 2500 --num-val 1000 --num-frames 16',
    noisy='--classes 30 --parts 2 --shake 1 --noise 80 --num-train 750 '
    '--num-val 900 --num-frames 16',
    demo='--classes 30 --parts 2 --shake 1 --noise 120 --num-train 400 '
    '--num-val 450 --num-frames 16')
# A budget is a share of the baseline's iterations; finetune=1 starts from a
# baseline on the digits; gpu marks runs on one.
CONDITIONS = ('epochs', 'lr', 'budget', 'finetune', 'gpu')
PARTS = Path('data/utd_mhad_depth27_parts')
# UTD-MHAD's actions in two parts: to train on 20 of them, and to fine-tune on
# the other 7, which were drawn once.
ACTIONS = dict(
    utd7=(1, 8, 12, 13, 15, 16, 24),
    utd20=(0, 2, 3, 4, 5, 6, 7, 9, 10, 11, 14, 17, 18, 19, 20, 21, 22, 23, 25,
           26))
# Sets that take the config of another one.
SOURCES = dict(ordered='digits', demo='noisy', utd20='utd', utd7='utd')
# The beginning of their lists, and their classes.
LISTS = dict(
    ordered=(f'{FOLDERS["ordered"]}/', 30),
    demo=(f'{FOLDERS["demo"]}/', 30),
    utd20=(f'{PARTS}/utd20_', 20),
    utd7=(f'{PARTS}/utd7_', 7))
EPOCHS = dict(ordered=10, demo=72)  # of base training, where they differ


@MODELS.register_module(name='ResNetTSM', force=True)
class ShallowResNetTSM(ResNetTSM):
    """``ResNetTSM`` of any number of stages; the stock one has four."""

    def make_temporal_shift(self) -> None:
        """Shift before the first convolution of each block."""
        for stage in map(self.get_submodule, self.res_layers):
            for block in stage:
                block.conv1.conv = TemporalShift(block.conv1.conv,
                                                 self.num_segments,
                                                 self.shift_div)


def write_lists(data: str) -> None:
    """Write the lists of a part of UTD-MHAD, with labels from 0."""
    PARTS.mkdir(exist_ok=True)
    for name in ('train', 'val'):
        lines = (FOLDERS['utd'] / f'{name}.txt').read_text().splitlines()
        Path(f'{LISTS[data][0]}{name}.txt').write_text(''.join(
            f'{path} {ACTIONS[data].index(int(label))}\n'
            for path, label in map(str.split, lines)
            if int(label) in ACTIONS[data]))


def write_frames() -> None:
    """Write the frames of UTD-MHAD as pictures of 64 x 64 pixels."""
    videos, frames = FOLDERS['utd'], FOLDERS['utd-frames']
    for split in ('train.txt', 'val.txt'):
        lines = []
        for name, label in map(str.split, (videos / split).open()):
            (frames / name).mkdir(parents=True, exist_ok=True)
            video = decord.VideoReader(str(videos / name), width=64, height=64)
            for i, frame in enumerate(video, 1):
                cv2.imwrite(
                    str(frames / name / f'img_{i:05}.jpg'),
                    frame.asnumpy()[..., ::-1])
            lines.append(f'{name} {len(video)} {label}\n')
        # The list is last: it marks the folder as complete.
        (frames / split).write_text(''.join(lines))


def folder_of(data: str) -> Path:
    """Return the folder of the videos of a dataset."""
    return FOLDERS.get(data, FOLDERS['utd'])


def make_data(data: str) -> None:
    """Make the digits, and what is derived of UTD-MHAD, unless it is there."""
    folder = folder_of(data)
    if data == 'utd-frames' and not (folder / 'val.txt').exists():
        write_frames()
    if data in MADE:
        subprocess.run([
            sys.executable, ROOT / 'tools/data' /
            ('moving_actors.py' if data == 'ava' else 'moving_digits.py'),
            folder, *MADE[data].split()
        ],
                       check=True)
    elif not (folder / 'train.txt').exists():
        sys.exit(f'{folder} is not there: get it from its authors')
    elif data == 'utd7':
        write_lists('utd20')
        write_lists('utd7')


def load(model: str, data: str, multigrid: bool) -> Config:
    """Load the shipped config of a model on a dataset or a part of it."""
    cfg = Config.fromfile(RECOGNITION /
                          CONFIGS[model, SOURCES.get(data, data)][multigrid])
    if model == 'tsm':  # the TSN config with shifts
        cfg.model.backbone.update(
            type='ResNetTSM', num_segments=8, pretrained2d=False)
        cfg.model.cls_head.update(type='TSMHead', num_segments=8)
    if data == 'grid' and model != 'i3d':  # the config is I3D's
        other = Config.fromfile(RECOGNITION / CONFIGS[model, 'digits'][0])
        other.model.cls_head.num_classes = 10
        if model == 'i3d-nl':  # as wide as I3D
            other.model.backbone.base_channels = 12
            other.model.cls_head.in_channels = 48
        cfg.model = other.model
    train, val = (
        cfg[f'{split}_dataloader'].dataset for split in ('train', 'val'))
    if data in LISTS:
        begin, cfg.model.cls_head.num_classes = LISTS[data]
        train.ann_file, val.ann_file = f'{begin}train.txt', f'{begin}val.txt'
    if data in EPOCHS:
        train_epochs(cfg, EPOCHS[data])
        folder = str(FOLDERS[data])
        train.data_prefix.video = val.data_prefix.video = folder
    return cfg


def rescale(scheduler: ConfigDict, share: float, *keys: str) -> None:
    """Multiply numbers of a scheduler, and round them."""
    for key in keys:
        if key in scheduler:
            scheduler[key] = np.rint(np.multiply(scheduler[key],
                                                 share)).astype(int).tolist()


def train_epochs(cfg: Config, epochs: int) -> None:
    """Change the number of epochs, decay points in proportion."""
    rescale(cfg.param_scheduler[-1], epochs / cfg.train_cfg.max_epochs, 'end',
            'milestones', 'T_max')
    cfg.train_cfg.max_epochs = epochs


def resize_only(cfg: Config) -> None:
    """Resize progressively, as image models do it.

    Crops of 1/2, 0.7 and 1, full frames, one batch size and lr.
    """
    schedule, _ = multigrid_schedule(cfg)
    base = schedule.base
    decay = base.milestones[-1]
    edges = [0, decay // 3, 2 * decay // 3, decay, base.max_epochs]
    cfg.multigrid.stages = [
        dict(
            epochs=end - begin,
            batch_factor=1,
            crop_size=schedule.grid.scale((1., crop)).crop_size,
            lr_factor=lr)
        for begin, end, crop, lr in zip(edges, edges[1:], (
            0.5, 0.5**0.5, 1., 1.), (1., 1., 1., base.decay(1)))
    ]


def option(**settings) -> Callable[[Config], None]:
    """Change settings of ``multigrid``."""
    return lambda cfg: cfg.multigrid.update(settings)


# What max_batch_factor='auto' sets where iterations are few.
FEW = dict(max_batch_factor=2, epoch_factor=1., finish=0.5)
FEWER = FEW | dict(epoch_factor=0.75)
# Changes of the multigrid config, by the name of the variant. Base training
# has none.
VARIANTS: Dict[str, Sequence[Callable[[Config], None]]] = {
    'baseline': (),
    'baseline-linear': (),  # the lr of the last half falls linearly
    'multigrid': (option(), ),  # the default
    'auto': (option(max_batch_factor='auto'), ),
    'uncapped': (option(max_batch_factor=None), ),
    'cap-4': (option(max_batch_factor=4), ),
    'cap-2-finish': (option(max_batch_factor=2, finish='full'), ),
    'finish': (option(finish='full'), ),
    'few': (option(**FEW), ),
    'few-0.33': (option(**FEWER | dict(finish=1 / 3)), ),
    'few-0.75': (option(**FEWER), ),
    'few-short-cycle': (option(**FEWER | dict(finish='short_cycle')), ),
    'few-cap-4': (option(**FEWER | dict(max_batch_factor=4)), ),
    'resize': (resize_only, ),
    'no-lr-scaling': (option(lr_scaling='none'), ),
}


def set_conditions(cfg: Config, conditions: Dict[str, float]) -> None:
    """Change the conditions that both runs of a pair share."""
    loader, optimizer = cfg.train_dataloader, cfg.optim_wrapper.optimizer
    if unknown := set(conditions) - {*CONDITIONS}:
        raise ValueError(f'condition {min(unknown)!r}: allowed '
                         f'are {", ".join(CONDITIONS)}')
    for each in (loader, cfg.val_dataloader):  # training and loading in turn
        each.update(num_workers=0, persistent_workers=False)
    if 'epochs' in conditions:
        train_epochs(cfg, int(conditions['epochs']))
    optimizer.lr = conditions.get('lr', optimizer.lr)


def decay_linearly(cfg: Config, share: float) -> None:
    """Let the lr of a baseline fall linearly to 1 % at its end.

    Args:
        cfg (Config): Base training whose lr has steps.
        share (float): Share of training in which the lr falls.
    """
    epochs = cfg.train_cfg.max_epochs
    cfg.param_scheduler[-1] = ConfigDict(
        type='LinearLR',
        start_factor=1.,
        end_factor=0.01,
        begin=round((1 - share) * epochs),
        end=epochs,
        by_epoch=True,
        convert_to_iter_based=True)


def stop_at(cfg: Config, iterations: int) -> None:
    """Squeeze the lr schedule of a baseline into fewer iterations."""
    share = iterations / cfg.train_cfg.max_epochs
    cfg.train_cfg = dict(
        type='IterBasedTrainLoop',
        max_iters=iterations,
        val_interval=-(-iterations // 4))
    for scheduler in cfg.param_scheduler:
        scheduler.pop('convert_to_iter_based', None)
        scheduler.by_epoch = False
        rescale(scheduler, share, 'begin', 'end', 'milestones', 'T_max')
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    cfg.default_hooks.checkpoint.update(
        by_epoch=False, interval=cfg.train_cfg.val_interval)
    cfg.log_processor = dict(by_epoch=False)


def count_clips(dataset: ConfigDict) -> int:
    """Count the clips of a list that a dataset takes."""
    # AVA's format has a line for each box, which begins with the clip.
    lines = Path(dataset.ann_file).read_text().splitlines()
    return len({line.split(',')[0] for line in lines})


def build(model: str, data: str, variant: str,
          conditions: Dict[str, float]) -> Tuple[Config, MultigridSchedule]:
    """Build the config of a run.

    Returns:
        tuple: The config, resolved if multigrid trains it, and the schedule
        that the run is compared by.

    Raises:
        ValueError: There is no such variant or condition.
    """
    if variant not in VARIANTS:
        raise ValueError(f'variant {variant!r}: allowed are '
                         f'{", ".join(VARIANTS)}')
    if 'budget' in conditions and VARIANTS[variant]:
        raise ValueError(f"condition 'budget' with variant {variant!r}: only "
                         'baselines take it')
    cfg = load(model, data, True)
    set_conditions(cfg, conditions)
    for change in VARIANTS[variant]:
        change(cfg)
    schedule, _ = multigrid_schedule(cfg)
    if VARIANTS[variant]:
        return apply_multigrid(cfg), schedule
    cfg = load(model, data, False)
    set_conditions(cfg, conditions)
    counted = schedule, cfg.train_dataloader.batch_size, count_clips(
        cfg.train_dataloader.dataset)
    if variant == 'baseline-linear':
        decay_linearly(cfg, FEW['finish'])
    if 'budget' in conditions:
        stop_at(cfg,
                round(conditions['budget'] * count_base_iterations(*counted)))
    return cfg, schedule
