"""Load the shipped configs of the study, and make their data.

Imported by tools/study/variants.py, run.py and demo.py.
"""

import random
import subprocess
import sys
from pathlib import Path
from typing import Dict, Tuple

from mmaction_multigrid.__main__ import main as command
from mmengine.config import Config

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
    ) for model, name in (('slowfast',
                           'slowfast/slowfast-tiny'), ('i3d', 'i3d/i3d-tiny'),
                          ('i3d-nl', 'i3d/i3d-tiny-nl-dot-product'))
}
CONFIGS.update({
    (model, 'digits'):
    (f'{model}/{model}-tiny_1xb8-16x1x1-10e_moving-digits16-rgb.py',
     f'{model}/{model}-tiny-multigrid_1xb8-16x1x1-15e_moving-digits16-rgb.py')
    for model in ('timesformer', 'mvit')
})
FOLDERS = {
    data: Path('data') / name
    for data, name in (('digits', 'moving_digits16'), ('ordered',
                                                       'moving_digits30'),
                       ('noisy', 'noisy_digits30'), ('utd',
                                                     'utd_mhad_depth27'))
}
# Arguments of tools/data/moving_digits.py for each set.
MADE = dict(
    digits='--classes 16 --num-train 5000 --num-val 1000 --num-frames 16',
    ordered='--classes 30 --parts 2 --distractors 1 --shake 1 '
    '--num-train 2500 --num-val 1000 --num-frames 16',
    noisy='--classes 30 --parts 2 --shake 1 --noise 80 --num-train 750 '
    '--num-val 900 --num-frames 16')
PARTS = Path('data/utd_mhad_depth27_parts')
# UTD-MHAD's actions in two parts, drawn once: to train on 20 of them, and to
# fine-tune on the other 7.
FINE_TUNED = sorted(random.Random(0).sample(range(27), 7))
ACTIONS = dict(
    utd20=[label for label in range(27) if label not in FINE_TUNED],
    utd7=FINE_TUNED)


def write_lists(data: str) -> None:
    """Write the lists of a part of UTD-MHAD, with labels from 0."""
    PARTS.mkdir(exist_ok=True)
    for name in ('train', 'val'):
        text = (FOLDERS['utd'] / f'{name}.txt').read_text()
        (PARTS / f'{data}_{name}.txt').write_text(''.join(
            f'{path} {ACTIONS[data].index(int(label))}\n'
            for path, label in map(str.split, text.splitlines())
            if int(label) in ACTIONS[data]))


def make_data(data: str, names: list) -> None:
    """Make the digits, and what is derived of UTD-MHAD, unless it is there."""
    folder = FOLDERS.get(data, FOLDERS['utd'])
    edges = ('80', '114')
    if data in MADE:
        subprocess.run([
            sys.executable, ROOT / 'tools/data/moving_digits.py', folder,
            *MADE[data].split()
        ],
                       check=True)
        edges = ('28', '40')
    elif not (folder / 'train.txt').exists():
        sys.exit(f'{folder} is not there: get UTD-MHAD from its authors')
    elif data == 'utd7':
        write_lists('utd20')
        write_lists('utd7')
    if any(name.startswith('store') for name in names):
        command([
            'store', 'build', f'{folder}/train.txt', f'{folder}_store',
            '--root',
            str(folder), '--sides', *edges
        ])


def load(model: str, data: str, multigrid: bool) -> Config:
    """Load the shipped config of a model on a dataset or a part of it."""
    source = 'digits' if data == 'ordered' else (
        'utd' if data in ACTIONS else data)
    cfg = Config.fromfile(RECOGNITION / CONFIGS[model, source][multigrid])
    train, val = (
        cfg[f'{split}_dataloader'].dataset for split in ('train', 'val'))
    if data == 'ordered':
        cfg.model.cls_head.num_classes = 30
        train_epochs(cfg, 10)
        folder = str(FOLDERS[data])
        for dataset, part in ((train, 'train'), (val, 'val')):
            dataset.update(
                ann_file=f'{folder}/{part}.txt',
                data_prefix=dict(video=folder))
    if data in ACTIONS:
        cfg.model.cls_head.num_classes = len(ACTIONS[data])
        train.ann_file = str(PARTS / f'{data}_train.txt')
        val.ann_file = str(PARTS / f'{data}_val.txt')
    return cfg


def train_epochs(cfg: Config, epochs: int) -> None:
    """Change the number of epochs, decay points in proportion.

    There are no more than ten validations.
    """
    main, loop = cfg.param_scheduler[-1], cfg.train_cfg
    if 'milestones' in main:
        main.milestones = [
            round(step * epochs / loop.max_epochs) for step in main.milestones
        ]
    else:
        main.T_max = epochs
    loop.max_epochs = main.end = epochs
    if epochs > 10 * loop.val_interval:
        loop.val_begin = loop.val_interval = epochs // 10
        cfg.default_hooks.checkpoint.interval = epochs // 10
