"""The tutorial, block by block, as a reader would run it; and the method card's config."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmaction_multigrid import apply_multigrid

from .conftest import ROOT

TUTORIAL = (ROOT / 'docs' / 'tutorial.md').read_text()
CARD = (ROOT / 'docs' / 'multigrid.md').read_text()


def blocks(language, text=TUTORIAL):
    return re.findall(rf'```{language}\n(.*?)```', text, flags=re.DOTALL)


@pytest.fixture(scope='module')
def reader(tmp_path_factory):
    """A folder with the tutorial's files, and the tools where it says they are."""
    folder = tmp_path_factory.mktemp('reader')
    (folder / 'tools').symlink_to(ROOT / 'tools')
    for text in blocks('python'):
        name = re.match(r'# (\w+\.py)\n', text).group(1)
        (folder / name).write_text(text)
    return folder


def test_every_command_runs(reader):
    commands = blocks('bash')
    assert len(commands) == 3
    environment = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(ROOT),
                       PATH=f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}')
    outputs = []
    for command in commands:
        result = subprocess.run(['bash', '-e', '-c', command], cwd=reader, env=environment, capture_output=True,
                                text=True)
        assert result.returncode == 0, command + result.stdout[-2000:] + result.stderr[-4000:]
        outputs.append(result.stdout)
    _, look, train = outputs
    assert '12 epochs' in look
    assert '64 x 2 x 16' in look
    assert 'WARNING' in look
    assert 'WARNING: the schedule has' in look
    assert 'acc/top1' in train


def test_the_transform_is_halved_at_half_the_resolution(reader, monkeypatch):
    from mmaction_multigrid.core.dataset import ClipShape
    from mmaction_multigrid.core.transform_rules import RULES, find_rule
    monkeypatch.syspath_prepend(str(reader))
    cfg = Config.fromfile(reader / 'my_multigrid.py')
    cfg.train_dataloader.dataset.pipeline.insert(4, dict(type='MyBlur', radius=4))
    with pytest.raises(ValueError, match='MyBlur'):
        apply_multigrid(cfg)
    import my_transforms  # noqa: F401
    try:
        apply_multigrid(cfg)
        grid = ClipShape(num_frames=8, crop_size=16, base_frames=8, base_crop=32)
        step = dict(type='MyBlur', radius=4)
        assert find_rule(step).variants(step, grid) == [dict(type='MyBlur', radius=2)]
    finally:
        RULES.pop('MyBlur')
        my_transforms.TRANSFORMS.module_dict.pop('MyBlur')


def test_the_card_has_its_headings_and_a_config_that_works(tmp_path):
    headings = re.findall(r'^## (.+)$', CARD, flags=re.MULTILINE)
    assert headings == ['How to use', 'Hyperparameters', 'Technical details', 'Interactions', 'Limits', 'Attribution']
    text, = blocks('python', CARD)
    (tmp_path / 'config.py').write_text(text)
    assert apply_multigrid(Config.fromfile(tmp_path / 'config.py')).train_cfg.max_epochs > 256
