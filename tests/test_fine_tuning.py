"""The fine-tuning guide, block by block, from a checkpoint that is made on the spot."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmaction_multigrid import apply_multigrid

from .conftest import ROOT
from .small import run
from .test_tutorial import TUTORIAL, blocks

GUIDE = (ROOT / 'docs' / 'fine-tuning.md').read_text()
STOCK = 'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """48 videos of four classes, and a checkpoint of 400."""
    folder = tmp_path_factory.mktemp('guide')
    (folder / 'tools').symlink_to(ROOT / 'tools')
    run(ROOT / 'tools' / 'data' / 'moving_digits.py', folder / 'data' / 'mine', '--classes', 4, '--num-train', 48,
        '--num-val', 8, '--num-frames', 16)
    base = blocks('python', TUTORIAL)[0].replace('num_classes=4', 'num_classes=400')
    (folder / 'base.py').write_text(base)
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(folder / 'base.py').model)
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'i3d_kinetics400.pth')
    return folder


@pytest.fixture
def guide(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return blocks('python', GUIDE)[0]


def test_the_config_is_what_it_says(folder, guide):
    """Of the stock config: the base batch is kept in every stage, and as many updates as base training makes are left."""
    (folder / 'stock.py').write_text(guide)
    assert STOCK in guide
    resolved = apply_multigrid(Config.fromfile(folder / 'stock.py'))
    stages = resolved.train_dataloader.batch_sampler.stages
    assert {shape[0] for stage in stages for shape in stage['shapes']} == {1}
    assert resolved.model.cls_head.num_classes == 4
    assert resolved.train_cfg.max_epochs == 45


def test_every_command_runs(folder, guide):
    (folder / 'finetune.py').write_text(guide.replace(STOCK, 'base.py'))
    environment = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(ROOT),
                       PATH=f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}')
    command, = blocks('bash', GUIDE)
    result = subprocess.run(['bash', '-e', '-c', command], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    assert re.search(r"\n *1, no short cycle +540 .*this config, 'auto'", result.stdout)  # 45 epochs of 12 batches
    log = sorted((folder / 'work_dirs' / 'finetune').glob('*/*.log'))[0]  # of training
    text = log.read_text()
    assert '45 epochs in 13 stages, 540 iterations; base training: 30 epochs, 360 iterations' in text
    assert 'max_batch_factor = 1' in text
    assert 'size mismatch for cls_head.fc_cls.weight' in result.stdout
    assert 'acc/top1' in text
