"""Whole runs as a user starts them: our tools, MMAction2's own, and a process that has never heard of us."""

import pickle
import sys

import numpy as np
import pytest
from mmengine.runner import Runner

from ..conftest import ROOT
from ..small import BASELINE, STOCK_TOOLS, load_tool, run, scalars

# Neither our package nor what it healed is there: where the wheel lacks mmaction.models.localizers.drn, whoever
# uses MMAction2 without us has to supply it, here an empty stand-in.
STRANGER = """
import importlib.abc, importlib.util, pickle, sys, types

class NoMultigrid(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'mmaction_multigrid':
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoMultigrid())
import mmaction
from pathlib import Path
if not (Path(mmaction.__file__).parent / 'models' / 'localizers' / 'drn').exists():
    drn = types.ModuleType('mmaction.models.localizers.drn.drn')
    drn.DRN = type('DRN', (), {})
    sys.modules['mmaction.models.localizers.drn'] = types.ModuleType('mmaction.models.localizers.drn')
    sys.modules['mmaction.models.localizers.drn.drn'] = drn

import torch
from mmaction.registry import DATASETS, MODELS
from mmaction.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

register_all_modules()
baseline, data, checkpoint, out = sys.argv[1:]
cfg = Config.fromfile(baseline)
model = MODELS.build(cfg.model).eval()
model.load_state_dict(torch.load(checkpoint, weights_only=False)['state_dict'], strict=True)
cfg.val_dataloader.dataset.update(ann_file=data + '/val.txt', data_prefix=dict(video=data))
clips = DATASETS.build(cfg.val_dataloader.dataset)
with torch.no_grad():
    scores = [model.test_step(pseudo_collate([clips[i] for i in pair])) for pair in ((0, 1), (2, 3))]
assert 'mmaction_multigrid' not in sys.modules
pickle.dump([sample.pred_score.numpy() for pair in scores for sample in pair], open(out, 'wb'))
"""


@pytest.fixture(scope='module')
def checkpoint(trained):
    return max(trained.glob('epoch_*.pth'), key=lambda path: int(path.stem.split('_')[1]))


def test_the_run_goes_through_every_shape(trained):
    seen = [(entry['multigrid/batch_size'], entry['multigrid/num_frames'], entry['multigrid/crop_size'])
            for entry in scalars(trained)]
    assert seen[:2] == [(16, 4, 24), (8, 4, 34)]
    assert seen[-3:] == [(4, 16, 24), (2, 16, 34), (1, 16, 48)]


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


def test_a_stranger_gets_the_same_scores(digits, small_config, checkpoint, tmp_path):
    """Strict load into the stock model, where this package cannot be imported."""
    script = tmp_path / 'stranger.py'
    script.write_text(STRANGER)
    run(script, BASELINE, digits, checkpoint, tmp_path / 'stranger.pkl')
    run(ROOT / 'tools' / 'test.py', small_config, checkpoint, '--dump', tmp_path / 'ours.pkl', '--work-dir', tmp_path)
    ours = [sample['pred_score'].numpy() for sample in pickle.loads((tmp_path / 'ours.pkl').read_bytes())]
    stranger = pickle.loads((tmp_path / 'stranger.pkl').read_bytes())
    assert len(ours) == 4
    np.testing.assert_allclose(stranger, ours, rtol=0, atol=1e-6)


def test_the_stock_test_script_takes_config_and_checkpoint(small_config, checkpoint, tmp_path):
    out = run(STOCK_TOOLS / 'test.py', small_config, checkpoint, '--work-dir', tmp_path)
    assert 'acc/top1' in out
