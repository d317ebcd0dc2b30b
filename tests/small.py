"""Make a dataset of video files, and a multigrid config to train on it."""

import importlib.util
import json
import sys
from functools import lru_cache
from pathlib import Path
from unittest import mock

import pytest

import mmaction
from .wheel import call

ROOT = Path(__file__).parent.parent

SLOWFAST = ROOT / 'configs' / 'recognition' / 'slowfast'
K400 = SLOWFAST / (
    'slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py')
BASELINE = (
    SLOWFAST / 'slowfast-tiny_1xb8-16x1x1-steplr-6e_moving-digits-rgb.py')

STOCK_TOOLS = Path(mmaction.__file__).parent / '.mim' / 'tools'
STOCK_CONFIGS = STOCK_TOOLS.parent / 'configs'

SMALL = """
custom_imports = dict(
    imports=['mmaction_multigrid'], allow_failed_imports=False)
runner_type = 'MultigridRunner'
_base_ = ['{baseline}']
data = '{data}'
prefix = dict(video=data)
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    batch_size=1, **loader,
    dataset=dict(ann_file=data + '/train.txt', data_prefix=prefix))
val_dataloader = dict(
    batch_size=2, **loader,
    dataset=dict(ann_file=data + '/val.txt', data_prefix=prefix))
test_dataloader = val_dataloader
multigrid = dict(eval_freq=1, precise_bn=1, epoch_factor=1.)
train_cfg = dict(max_epochs=4, val_begin=4)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=4, milestones=[2])
]
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(max_keep_ckpts=-1))
randomness = dict(seed=0)
"""


@lru_cache(maxsize=None)  # what it defines is pickled by its name
def load_tool(name):
    """Import a script of tools/, with the scripts in its folder."""
    path = ROOT / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'tool_{path.stem}', path)
    # dataclasses look their module up
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    with mock.patch.object(sys, 'path', [str(path.parent), *sys.path]):
        spec.loader.exec_module(module)
    return module


def run(*command):
    """Run a Python script with its arguments, and return its output."""
    return call(sys.executable, *command)


def scalars(work_dir):
    """Return what a run logged at training iterations, but no times."""
    lines = [
        line for path in sorted(work_dir.rglob('scalars.json'))
        for line in path.read_text().splitlines()
    ]
    kept = ('lr', 'loss', 'multigrid/num_frames', 'multigrid/crop_size',
            'multigrid/batch_size', 'epoch', 'step')
    return [{key: entry[key]
             for key in kept} for entry in map(json.loads, lines)
            if 'loss' in entry]


@pytest.fixture(scope='session')
def digits(tmp_path_factory):
    """Make 24 clips to train on and 4 to validate on, of two classes."""
    folder = tmp_path_factory.mktemp('digits') / 'data'
    run(ROOT / 'tools' / 'data' / 'moving_digits.py', folder, '--num-train',
        24, '--num-val', 4, '--size', 64, '--num-frames', 20, '--classes', 2)
    return folder


@pytest.fixture(scope='session')
def small_config(tmp_path_factory, digits):
    """Write a config of the demo's model: four epochs, one clip a batch."""
    path = tmp_path_factory.mktemp('config') / 'small.py'
    path.write_text(SMALL.format(baseline=BASELINE, data=digits))
    return path


@pytest.fixture(scope='session')
def trained(tmp_path_factory, small_config):
    """Train with our train.py, and return the work dir."""
    work_dir = tmp_path_factory.mktemp('trained')
    run(ROOT / 'tools' / 'train.py', small_config, '--work-dir', work_dir)
    return work_dir
