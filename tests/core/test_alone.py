"""Train with ``core`` alone: the stock Runner and an explicit config.

These files are copied into MMAction2's repository.
"""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mmaction_multigrid.core as core
import pytest
import torch

CORE = Path(core.__file__).parent
CONFIG = '''
custom_imports = dict(
    imports=['noise_clips', 'mmaction_multigrid.core'],
    allow_failed_imports=False)
default_scope = 'mmaction'
stages = [  # a shape is (batch factor, frames, crop)
    dict(epochs=2, shapes=[(4, 4, 16), (2, 4, 24)]),
    dict(epochs=2, shapes=[(2, 8, 24), (1, 8, 32)])
]
pipeline = [
    dict(
        type='MultigridTransform',
        transform=dict(
            type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1)),
    dict(type='ArrayDecode'),
    dict(
        type='MultigridTransform',
        transform=dict(type='RandomCrop', size=32)),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3d', depth=18, base_channels=4, pretrained=None,
        pretrained2d=False, zero_init_residual=False),
    cls_head=dict(
        type='I3DHead', num_classes=2, in_channels=32, dropout_ratio=0.5),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[128] * 3, std=[64] * 3,
        format_shape='NCTHW'))
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='MultigridBatchSampler', stages=stages),
    dataset=dict(
        type='MultigridDataset',
        base_shape=(8, 32),
        dataset=dict(type='NoiseClips', ann_file='', pipeline=pipeline)))
train_cfg = dict(type='MultigridTrainLoop', max_epochs=4, eval_freq=1)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
param_scheduler = [
    dict(type='MultigridLR', points=[(0, 2.), (2, 1.)], warmup_epochs=1.,
         warmup_factor=0.1)
]
custom_hooks = [
    dict(type='MultigridHook'),
    dict(type='PreciseBNHook', base_shape=(8, 32), num_batches=3)
]
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1))
randomness = dict(seed=3)
'''
MODULE = '''
import numpy as np
from mmaction.datasets.base import BaseActionDataset
from mmaction.registry import DATASETS


@DATASETS.register_module()
class NoiseClips(BaseActionDataset):
    """Noise, brighter where the class is 1."""

    def load_data_list(self):
        return [dict(label=i % 2, total_frames=20, index=i) for i in range(48)]

    def get_data_info(self, idx):
        info = super().get_data_info(idx)
        noise = np.random.RandomState(idx).randint(0, 90, (20, 40, 40, 3))
        info['array'] = (noise + 90 * info['label']).astype(np.uint8)
        return info
'''
TRAIN = '''
import sys
from mmengine.config import Config
from mmengine.runner import Runner


def train(work_dir, end=4, resume=False):
    cfg = Config.fromfile('config.py')
    cfg.experiment_name = f'{work_dir}_{end}'
    cfg.work_dir, cfg.resume = work_dir, resume
    runner = Runner.from_cfg(cfg)
    runner.train_loop._max_epochs = end
    shapes, step = [], runner.model.train_step

    def train_step(data, optim_wrapper):
        shapes.append((len(data['inputs']), *data['inputs'][0].shape[-3:-1]))
        return step(data, optim_wrapper)

    runner.model.train_step = train_step
    runner.train()
    runner.train_dataloader._iterator._shutdown_workers()
    assert type(runner) is Runner
    return shapes


shapes = [train('straight'), train('broken', end=3),
          train('broken', resume=True)]
names = [n for n in sys.modules if n.startswith('mmaction_multigrid')]
assert all(n.split('.')[1:2] in ([], ['core']) for n in names), names
print('SHAPES', shapes)
'''


@pytest.fixture
def folder(tmp_path):
    """Copy ``core`` and nothing else of the package."""
    shutil.copytree(
        CORE, (tmp_path / 'mmaction_multigrid' / 'core'),
        ignore=shutil.ignore_patterns('__pycache__'))
    (tmp_path / 'config.py').write_text(CONFIG)
    (tmp_path / 'noise_clips.py').write_text(MODULE)
    (tmp_path / 'train.py').write_text(TRAIN)
    # MMAction2's wheel lacks a module that its models import.
    (tmp_path / 'sitecustomize.py').write_text(
        'import sys, types\n'
        "stub = types.ModuleType('mmaction.models.localizers.drn')\n"
        'for n in ("", ".drn"):\n    sys.modules[stub.__name__ + n] = '
        'stub\nstub.DRN = object\n')
    return tmp_path


def test_train_and_resume_without_the_rest(folder):
    environment = dict(
        os.environ,
        OMP_NUM_THREADS='1',
        PYTHONPATH=str(folder),
        TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD='1')
    done = subprocess.run([sys.executable, '-W', 'ignore', 'train.py'],
                          cwd=folder,
                          env=environment,
                          capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(line for line in done.stdout.splitlines()
                if line.startswith('SHAPES'))
    shapes = ast.literal_eval(line[len('SHAPES '):])
    # 48 clips in batches of 16 and 8, then of 8 and 4.
    coarse = [(16, 4, 16), (8, 4, 24), (16, 4, 16), (8, 4, 24)]
    full = [(8, 8, 24), (4, 8, 32)] * 4
    assert shapes == [2 * coarse + 2 * full, 2 * coarse + full, full]
    ends = [
        torch.load(folder / name / 'epoch_4.pth', weights_only=False)
        for name in ('straight', 'broken')
    ]
    torch.testing.assert_close(
        *(end['state_dict'] for end in ends), rtol=0, atol=0)
