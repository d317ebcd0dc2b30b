"""Configs that import their types, through MMAction2's own tools."""

import re

import pytest
from mmaction import registry
from mmengine.config import Config

from mmaction_multigrid import apply_multigrid

from ..conftest import ROOT
from ..small import STOCK_TOOLS, run, scalars

REGISTRIES = (registry.MODELS, registry.DATASETS, registry.TRANSFORMS,
              registry.DATA_SAMPLERS, registry.HOOKS, registry.LOOPS,
              registry.METRICS, registry.OPTIMIZERS,
              registry.PARAM_SCHEDULERS, registry.VISUALIZERS,
              registry.VISBACKENDS)
CONFIG = """
from mmengine.config import read_base

with read_base():
    from .base import *

from mmaction_multigrid import MultigridRunner

runner_type = MultigridRunner
multigrid = dict(eval_freq=1, precise_bn=1, epoch_factor=1.)
default_hooks.checkpoint.update(max_keep_ckpts=-1)
"""


def find(name):
    """The class of a registered name, or None."""
    found = (entry.get(name) for entry in REGISTRIES)
    return next(filter(None, found), None)


def import_types(cfg):
    """The text of a config that imports its types instead of naming them."""
    text = re.sub(r"\n *_scope_='mmaction',?", '', Config(cfg).pretty_text)
    types = {name: kind for name in re.findall(r"type='(\w+)'", text)
             if (kind := find(name))}
    for name, kind in types.items():
        text = f'from {kind.__module__} import {kind.__name__}\n' + (
            text.replace(f"type='{name}'", f'type={name}'))
    return text


@pytest.fixture(scope='module')
def new_style(small_config, tmp_path_factory):
    """What ``small_config`` says, in two files of this style."""
    folder = tmp_path_factory.mktemp('new_style')
    cfg = Config.fromfile(small_config).to_dict()
    for key in ('custom_imports', 'runner_type', 'multigrid'):
        del cfg[key]
    text = import_types(dict(cfg, default_scope=None))
    assert len(re.findall('type=[A-Z]', text)) > 40
    (folder / 'base.py').write_text(text)
    (folder / 'config.py').write_text(CONFIG)
    return folder / 'config.py'


@pytest.fixture(scope='module')
def work_dir(new_style, tmp_path_factory):
    """Of a run of MMAction2's own train.py."""
    folder = tmp_path_factory.mktemp('work_dir')
    run(STOCK_TOOLS / 'train.py', new_style, '--work-dir', folder)
    return folder


def test_it_trains_as_the_config_with_names(work_dir, trained):
    assert scalars(work_dir) == scalars(trained)


def test_it_is_resumed_and_tested(work_dir, new_style, tmp_path):
    first, *_, last = sorted(work_dir.glob('epoch_*.pth'))
    run(STOCK_TOOLS / 'train.py', new_style, '--work-dir', tmp_path,
        '--resume', first)
    rest = scalars(tmp_path)
    assert 0 < len(rest) < len(scalars(work_dir))
    assert rest == scalars(work_dir)[-len(rest):]
    out = run(STOCK_TOOLS / 'test.py', new_style, last,
              '--work-dir', tmp_path / 'test')
    assert 'acc/top1' in out


def test_our_tools_and_the_resolved_text(new_style, trained, tmp_path):
    resolved = tmp_path / 'resolved.py'
    run('-m', 'mmaction_multigrid', 'resolve', new_style, resolved)
    assert '<class' not in resolved.read_text()
    for tool, config in ((ROOT / 'tools' / 'train.py', new_style),
                         (STOCK_TOOLS / 'train.py', resolved)):
        folder = tmp_path / config.stem
        run(tool, config, '--work-dir', folder)
        assert scalars(folder) == scalars(trained)


def test_classes_in_a_config_that_python_makes(small_config):
    """They become names, so that the text of the config can be written."""
    cfg = Config.fromfile(small_config)
    cfg.val_evaluator = dict(type=find('AccMetric'))
    resolved = apply_multigrid(cfg)
    assert resolved.val_evaluator.type.endswith('.AccMetric')
    assert '<class' not in resolved.pretty_text
