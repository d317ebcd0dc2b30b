"""The text of the config in checkpoints: laid out once, and what it would be if it were laid out each time."""

import copy
import pickle

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.engine.config_text import lay_out_once

from ..toy import base_config, new_name


@pytest.fixture
def laid_out(monkeypatch):
    """The texts that yapf was given."""
    texts = []

    def format_code(text, **kwargs):
        texts.append(text)
        return f'# laid out\n{text}', True

    monkeypatch.setattr('mmengine.config.config.FormatCode', format_code)
    return texts


def texts_of(work_dir):
    return [torch.load(path, weights_only=False)['meta']['cfg'] for path in sorted(work_dir.glob('*.pth'))]


class CountBefore(Hook):
    """Counts what was laid out before the first epoch, by the start of the Runner."""

    def __init__(self, laid_out):
        self.laid_out = laid_out

    def before_train(self, runner):
        self.count, self.text = len(self.laid_out), Config(runner.cfg.to_dict()).pretty_text
        self.laid_out.pop()


def test_laid_out_once_for_all_checkpoints(tmp_path, laid_out):
    cfg = base_config(tmp_path)
    cfg.default_hooks.checkpoint.save_best = 'auto'  # another file, and the last one written again
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    hook = CountBefore(laid_out)
    runner.register_hook(hook)
    runner.train()
    assert len(laid_out) == hook.count + 1
    texts = texts_of(tmp_path)
    assert len(texts) >= 7
    assert set(texts) == {hook.text}


class ChangeHook(Hook):
    """Changes the config in training."""

    def after_train_epoch(self, runner):
        if runner.epoch == 4:
            runner.cfg.model.backbone.channels = 77


def test_a_change_is_in_the_checkpoints_after_it(tmp_path):
    cfg = base_config(tmp_path)
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.register_hook(ChangeHook())
    runner.train()
    changed = ['channels=77' in text for text in texts_of(tmp_path)]
    assert 0 < changed.index(True) < len(changed) - 1
    assert all(changed[changed.index(True):])


def test_it_is_an_ordinary_config():
    cfg = Config(dict(model=dict(type='A', sizes=[1, 2])), filename=__file__)
    text = cfg.pretty_text
    lay_out_once(cfg)
    for other in (cfg, copy.deepcopy(cfg), copy.copy(cfg), pickle.loads(pickle.dumps(cfg))):
        assert isinstance(other, Config)
        assert (other.pretty_text, other.pretty_text, other.filename) == (text, text, __file__)
    copied = copy.deepcopy(cfg)
    copied.model.sizes.append(3)
    assert (cfg.pretty_text, copied.pretty_text) == (text, Config(copied.to_dict()).pretty_text)


def test_a_config_of_another_class_is_left_alone():
    class Mine(Config):
        pass

    cfg = Mine(dict(a=1))
    lay_out_once(cfg)
    assert type(cfg) is Mine
