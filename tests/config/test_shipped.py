"""Resolve the configs of the repository."""

from pathlib import Path

import pytest
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.hook import bn_groups
from mmengine.config import Config

from ..conftest import ROOT

CONFIGS = ROOT / 'configs' / 'recognition'
K400 = ('slowfast/slowfast_r50-multigrid{}_8xb8-8x8x1-steplr-358e_'
        'kinetics400-rgb.py')


def plain(value):
    """Return configs as dicts and lists, without mmengine's scope."""
    if isinstance(value, dict):
        return {
            key: plain(entry)
            for key, entry in value.items() if key != '_scope_'
        }
    return [plain(entry)
            for entry in value] if isinstance(value, (list, tuple)) else value


def test_the_explicit_form_is_the_core_of_the_short_form():
    """The rest of the resolved config is of other packages."""
    short = plain(
        apply_multigrid(Config.fromfile(CONFIGS / K400.format(''))).to_dict())
    explicit = plain(
        Config.fromfile(CONFIGS / K400.format('-explicit')).to_dict())
    loader = short['train_dataloader']
    assert loader['dataset']['dataset'].pop('type') == 'ReplaceBrokenClips'
    loader['dataset'].update(loader['dataset'].pop('dataset'))
    hooks = {hook.pop('type'): hook for hook in short['custom_hooks']}
    assert hooks['MultigridHook'] == dict(bn_base_size=None)
    assert explicit['custom_hooks'] == [
        dict(type='MultigridHook'),
        dict(hooks['PreciseBNHook'], type='PreciseBNHook')
    ]
    for key in (set(short) -
                {'custom_hooks', 'custom_imports', 'default_hooks'}):
        assert explicit[key] == short[key], key


@pytest.mark.parametrize(
    'path',
    sorted(CONFIGS.parent.rglob('*multigrid_*.py')),
    ids=lambda path: path.stem)
def test_every_multigrid_config_resolves(path):
    resolved = apply_multigrid(Config.fromfile(path))
    assert resolved.train_cfg.type == 'MultigridTrainLoop'
    assert f'-{resolved.train_cfg.max_epochs}e_' in Path(path).name


@pytest.mark.parametrize(
    'path',
    sorted(CONFIGS.rglob('*multigrid_8xb2-*.py')),
    ids=lambda path: path.stem)
def test_statistics_equal_the_references(path):
    """Statistics are over 8 clips in every stage."""
    resolved = apply_multigrid(Config.fromfile(path))
    loader = resolved.train_dataloader
    hook, = (
        hook for hook in resolved.custom_hooks if hook.type == 'MultigridHook')
    groups = []
    for stage in loader.batch_sampler.stages[:4]:
        clips = loader.batch_size * stage['shapes'][-1][0]
        groups.append((clips, *bn_groups(clips, hook.bn_base_size, 8)))
    assert groups == [(16, 2, 1), (8, 1, 1), (4, 1, 2), (2, 1, 4)]
