"""Compile backbones: once for each shape, for every iteration."""

import pytest
import torch
from mmaction_multigrid import apply_multigrid
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..engine.test_training import last_weights
from ..toy import base_config, new_name

compiled, calls = [], []


@torch._dynamo.register_backend(name='counted')
def counted(module, inputs):
    """Compile nothing; record every graph and every call of one."""
    compiled.append(module)

    def run(*args):
        calls.append(module)
        return module(*args)

    return run


class Shapes(Hook):
    """Record shapes and splits, and the graphs that ran in an iteration."""

    def __init__(self):
        self.seen, self.ran = set(), []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        inputs = data_batch['inputs']
        self.seen.add((len(inputs), *inputs[0].shape,
                       runner.model.backbone.bn.num_splits))
        self.before = len(calls)

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs=None):
        self.ran.append(len(calls) - self.before)


@pytest.fixture
def _clean_dynamo():
    compiled.clear(), calls.clear()
    torch._dynamo.reset()
    with torch._dynamo.config.patch(cache_size_limit=8):
        yield
    torch._dynamo.reset()


@pytest.mark.usefixtures('_clean_dynamo')
def test_each_shape_is_compiled_once_and_none_runs_uncompiled(tmp_path):
    cfg = base_config(tmp_path / 'eager', bn_base_size=2)
    Runner.from_cfg(new_name(apply_multigrid(cfg))).train()
    cfg.work_dir, cfg.compile = (str(tmp_path / 'compiled'),
                                 dict(backend='counted'))
    runner, shapes = Runner.from_cfg(new_name(apply_multigrid(cfg))), Shapes()
    runner.register_hook(shapes)
    runner.train()
    assert len(
        shapes.seen) > 8  # torch's limit, after which it goes on uncompiled
    assert set(shapes.ran) == {1}
    # Validation has a graph, and so has precise BN with its momentum.
    assert len(compiled) == len(shapes.seen) + 2
    torch.testing.assert_close(
        last_weights(tmp_path / 'compiled'), last_weights(tmp_path / 'eager'))


def test_compile_is_taken_from_the_base_config(tmp_path):
    cfg = base_config(tmp_path)
    cfg.compile = True
    resolved = apply_multigrid(cfg)
    assert 'compile' not in resolved
    assert resolved.custom_hooks[-1] == dict(type='CompileBackboneHook')
    cfg.compile = False
    assert 'CompileBackboneHook' not in str(apply_multigrid(cfg))
    cfg.compile = 'yes'
    with pytest.raises(
            TypeError, match="compile = 'yes': must be True, False or a dict"):
        apply_multigrid(cfg)
