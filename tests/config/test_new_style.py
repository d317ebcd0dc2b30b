"""Resolve configs that import their types; tests/stock_paths trains one."""

import re

import pytest
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.__main__ import main
from mmengine.config import Config

from mmaction.evaluation import AccMetric
from ..stock import import_types

CONFIG = """
from mmengine.config import read_base

with read_base():
    from .base import *

from mmaction_multigrid import MultigridRunner

runner_type = MultigridRunner
multigrid = dict(eval_freq=1, precise_bn=1, epoch_factor=1.)
default_hooks.checkpoint.update(max_keep_ckpts=-1)
"""


@pytest.fixture(scope='module')
def new_style(small_config, tmp_path_factory):
    """Write ``small_config`` as two files of this style."""
    folder = tmp_path_factory.mktemp('new_style')
    cfg = Config.fromfile(small_config).to_dict()
    for key in ('custom_imports', 'runner_type', 'multigrid'):
        del cfg[key]
    text = import_types(dict(cfg, default_scope=None))
    assert len(re.findall('type=[A-Z]', text)) > 40
    (folder / 'base.py').write_text(text)
    (folder / 'config.py').write_text(CONFIG)
    return folder / 'config.py'


def test_the_resolved_text(new_style, tmp_path):
    path = tmp_path / 'resolved.py'
    main(['resolve', str(new_style), str(path)])
    resolved = apply_multigrid(Config.fromfile(new_style))
    assert Config.fromfile(path).to_dict() == resolved.to_dict()
    assert resolved.default_scope == 'mmaction'


def test_classes_in_a_config_become_names(small_config):
    """Classes become names, so that the text can be written."""
    cfg = Config.fromfile(small_config)
    cfg.val_evaluator = dict(type=AccMetric)
    resolved = apply_multigrid(cfg)
    assert resolved.val_evaluator.type.endswith('.AccMetric')
    assert '<class' not in resolved.pretty_text
    cfg.train_dataloader.collate_fn = lambda batch: batch  # and has no name
    assert callable(apply_multigrid(cfg).train_dataloader.collate_fn)
