"""Whole runs as a user starts them: our tools, MMAction2's own, and a process that has never heard of us."""

import sys

import pytest
from mmengine.runner import Runner

from ..conftest import ROOT
from ..small import STOCK_TOOLS, load_tool, run, scalars


def test_the_stock_train_script_trains_the_same(trained, small_config, tmp_path):
    run(STOCK_TOOLS / 'train.py', small_config, '--work-dir', tmp_path, TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD='1')
    assert scalars(tmp_path) == scalars(trained)


def test_the_resolved_config_trains_the_same_in_the_stock_runner(trained, small_config, tmp_path):
    resolved = tmp_path / 'resolved.py'
    run('-m', 'mmaction_multigrid', 'resolve', small_config, resolved)
    assert 'runner_type' not in resolved.read_text()
    run(STOCK_TOOLS / 'train.py', resolved, '--work-dir', tmp_path / 'run')
    assert scalars(tmp_path / 'run') == scalars(trained)


def test_resumed_by_flag(trained, small_config, tmp_path):
    """From the first checkpoint on, the rest of the run."""
    first = min(trained.glob('epoch_*.pth'), key=lambda path: int(path.stem.split('_')[1]))
    run(ROOT / 'tools' / 'train.py', small_config, '--work-dir', tmp_path, '--resume', first)
    rest, straight = ([dict(entry, loss=None) for entry in scalars(folder)] for folder in (tmp_path, trained))
    assert rest == straight[-len(rest):]
    assert 0 < len(rest) < len(straight)


def test_the_data_is_looked_for_before_the_model_is_built(tmp_path, monkeypatch, small_config):
    config = tmp_path / 'config.py'
    config.write_text(f"_base_ = ['{small_config}']\n"
                      "train_dataloader = dict(dataset=dict(data_prefix=dict(video='gone')))\n")
    module = load_tool('train')
    monkeypatch.setattr(Runner, 'from_cfg', lambda cfg: pytest.fail('the Runner is built'))
    monkeypatch.setattr(sys, 'argv', ['train.py', str(config), '--work-dir', str(tmp_path)])
    monkeypatch.setenv('LOCAL_RANK', '0')
    with pytest.raises(FileNotFoundError, match=r"VideoDataset\.data_prefix = .*'gone'"):
        module.main()
