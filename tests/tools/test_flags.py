"""The flags of train.py and test.py, which are MMAction2's."""

import re
from pathlib import Path

import pytest

from ..conftest import ROOT
from ..small import STOCK_TOOLS, load_tool

CONFIG = str(next((ROOT / 'configs').rglob('slowfast-tiny-multigrid_*moving-digits-rgb.py')))


def load(name, *flags):
    module = load_tool(name)
    return module.load_config(module.parse_args([CONFIG, *flags]))


@pytest.fixture(autouse=True)
def local_rank(monkeypatch):
    """The tools set it for launchers; take it away again."""
    monkeypatch.setenv('LOCAL_RANK', '0')


@pytest.mark.parametrize('name', ['train', 'test'])
def test_no_flag_of_mmaction2s_is_missing(name):
    def flags(path):
        return set(re.findall(r"'(--[a-z_-]+)'", path.read_text()))
    assert flags(STOCK_TOOLS / f'{name}.py') <= flags(ROOT / 'tools' / f'{name}.py')


def test_without_flags_the_work_dir_has_the_configs_name():
    assert load('train').work_dir == f'work_dirs/{Path(CONFIG).stem}'
    assert load('train', '--work-dir', 'other').work_dir == 'other'


def test_resume():
    assert (load('train', '--resume').resume, load('train', '--resume').load_from) == (True, None)
    assert (load('train', '--resume', 'a.pth').resume, load('train', '--resume', 'a.pth').load_from) == (True, 'a.pth')
    assert not load('train').get('resume')


def test_no_validate():
    cfg = load('train', '--no-validate')
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None


def test_amp(tmp_path):
    assert load('train', '--amp').optim_wrapper.type == 'AmpOptimWrapper'
    config = tmp_path / 'config.py'
    config.write_text(f"_base_ = ['{CONFIG}']\noptim_wrapper = dict(type='ApexOptimWrapper')\n")
    module = load_tool('train')
    with pytest.raises(ValueError, match="--amp: optim_wrapper.type = 'ApexOptimWrapper'"):
        module.load_config(module.parse_args([str(config), '--amp']))


def test_auto_scale_lr():
    assert load('train', '--auto-scale-lr').auto_scale_lr.enable is True
    assert load('train').auto_scale_lr.enable is False


def test_seed():
    assert load('train', '--seed', '3', '--deterministic').randomness == dict(
        seed=3, diff_rank_seed=False, deterministic=True)
    assert load('train').randomness.seed is None


@pytest.mark.parametrize(('flags', 'expected'), [
    ((), dict(seed=5, deterministic=True)),
    (('--seed', '3'), dict(seed=3, deterministic=True)),
    (('--seed', '0', '--diff-rank-seed'), dict(seed=0, deterministic=True, diff_rank_seed=True)),
    (('--deterministic', '--cfg-options', 'randomness.seed=7'), dict(seed=7, deterministic=True))])
def test_the_command_lines_seed_wins_over_the_configs(tmp_path, flags, expected):
    config = tmp_path / 'config.py'
    config.write_text(f"_base_ = ['{CONFIG}']\nrandomness = dict(seed=5, deterministic=True)\n")
    module = load_tool('train')
    assert module.load_config(module.parse_args([str(config), *flags])).randomness == expected


def test_options_win():
    cfg = load('train', '--cfg-options', 'multigrid.short_cycle=False', 'train_dataloader.batch_size=2')
    assert (cfg.multigrid.short_cycle, cfg.train_dataloader.batch_size) == (False, 2)


def test_dump():
    cfg = load('test', 'a.pth', '--dump', 'out.pkl')
    assert [evaluator.type for evaluator in cfg.test_evaluator] == ['AccMetric', 'DumpResults']
    assert cfg.load_from == 'a.pth'
    with pytest.raises(ValueError, match=r"--dump = 'out.txt': must end in \.pkl"):
        load('test', 'a.pth', '--dump', 'out.txt')


def test_show(tmp_path):
    with pytest.raises(ValueError, match=r'default_hooks\.visualization is not set'):
        load('test', 'a.pth', '--show')
    config = tmp_path / 'config.py'
    config.write_text(f"_base_ = ['{CONFIG}']\ndefault_hooks = dict(visualization=dict(type='VisualizationHook'))\n")
    module = load_tool('test')
    args = module.parse_args([str(config), 'a.pth', '--show-dir', 'pictures', '--interval', '5'])
    hook = module.load_config(args).default_hooks.visualization
    assert (hook.enable, hook.out_dir, hook.interval, hook.show) == (True, 'pictures', 5, False)
