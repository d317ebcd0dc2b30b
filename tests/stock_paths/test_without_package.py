"""Test a checkpoint in MMAction2 without this package."""

import re
import shutil
from pathlib import Path

import pytest

import mmaction
from .. import wheel
from ..conftest import ROOT
from ..small import STOCK_TOOLS
from .families import FAMILIES


@pytest.fixture
def stand_in():
    """Return the script that the page on troubleshooting shows."""
    page = (ROOT / 'docs' / 'troubleshooting.md').read_text()
    return re.search(r'```python\n(# stand_in.py\n.*?)```', page, re.S)[1]


def test_a_checkpoint_is_tested_by_the_stock_config_alone(
        python, data, stand_in, tmp_path, monkeypatch):
    family = FAMILIES['slowonly']
    (tmp_path / 'ours.py').write_text(family.text(str(data)))
    (tmp_path / 'stock.py').write_text(family.text(str(data), ours=''))
    python(
        STOCK_TOOLS / 'train.py',
        'ours.py',
        '--work-dir',
        'run',
        '--cfg-options',
        'multigrid.epoch_factor=0.5',
        cwd=tmp_path)
    checkpoint = Path(
        (tmp_path / 'run' / 'last_checkpoint').read_text().strip())

    without = wheel.environment(tmp_path)
    site = next((tmp_path / 'env').rglob('site-packages'))
    shutil.copytree(Path(mmaction.__file__).parent, site / 'mmaction')
    test = (without, '-W', 'ignore', STOCK_TOOLS / 'test.py', 'stock.py',
            checkpoint, '--work-dir', 'tested')
    assert 'drn' in wheel.call(*test, cwd=tmp_path, status=1)
    (tmp_path / 'stand_in.py').write_text(stand_in)
    wheel.call(without, 'stand_in.py', cwd=tmp_path)
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    assert 'acc/top1' in wheel.call(*test, cwd=tmp_path)
    wheel.call(
        without, '-c', 'import mmaction_multigrid', cwd=tmp_path, status=1)
