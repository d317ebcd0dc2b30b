"""Inherit stock configs and train with MMAction2's own ``tools/train.py``.

The package is installed from its wheel, and the config is in a folder of the
user's.
"""

import re

import pytest
import torch
from mmengine.config import Config

from ..docs.pages import NEW_STYLE, blocks
from ..small import STOCK_TOOLS
from ..stock import import_types
from .families import FAMILIES

COMMAND = ('-m', 'mmaction_multigrid')
# Second entries of a family, another of which is resumed and tested too.
TRAINED_ONLY = ('slowonly', 'i3d_16', 'mvit_maskfeat')
STAGE = re.compile(r'Multigrid stage (\d+)/(\d+), .* x (\d+) x (\d+); lr')


def epoch_of(path):
    return int(path.stem.split('_')[1])


def weights(path):
    return torch.load(path, weights_only=False)['state_dict']


def import_style(family, data, folder):
    """Return the guide's config in the style that inherits by import."""
    path = folder / 'stock.py'
    path.write_text(family.text(data, ours=''))
    stock = dict(Config.fromfile(path).to_dict(), default_scope=None)
    (folder / 'mine.py').write_text(import_types(stock))
    text, = blocks(NEW_STYLE, 'python')
    return text


@pytest.mark.parametrize('name', [*FAMILIES, 'new_style'])
def test_walk(name, python, data, tmp_path, compare_with_record):
    family = FAMILIES.get(name, FAMILIES['slowonly'])
    (tmp_path / 'config.py').write_text(
        family.text(str(data)) if name in
        FAMILIES else import_style(family, str(data), tmp_path))
    # tests/profiling/test_check.py checks the other families.
    if name == 'new_style':
        shown = python(*COMMAND, 'schedule', 'config.py', cwd=tmp_path)
        assert 'epochs, ' in shown
        shown = python(*COMMAND, 'check', 'config.py', cwd=tmp_path)
        assert 'speed-up:' in shown and 'fails' not in shown

    train = STOCK_TOOLS / 'train.py', 'config.py', '--work-dir'
    log = python(*train, 'run', cwd=tmp_path)
    stages = [tuple(map(int, found)) for found in STAGE.findall(log)]
    assert [stage for stage, *_ in stages] == list(range(
        1, stages[0][1] + 1)) and len(stages) > 1
    assert stages[-1][2:] == (family.frames, family.crop)
    assert 'Epoch(val)' in log
    saved = sorted((tmp_path / 'run').glob('epoch_*.pth'), key=epoch_of)
    compare_with_record(name, saved[-1])
    if name in TRAINED_ONLY:
        return
    # The last two epochs have a coarse and a full stage.
    python(*train, 'resumed', '--resume', saved[-3], cwd=tmp_path)
    expected = weights(saved[-1])
    resumed = weights(tmp_path / 'resumed' / saved[-1].name)
    assert all(
        torch.equal(resumed[key], expected[key]) for key in expected
        if 'new_cls' not in key)  # TPN's, of its first validation

    tested = python(
        STOCK_TOOLS / 'test.py',
        'config.py',
        saved[-1],
        '--work-dir',
        'tested',
        cwd=tmp_path)
    assert 'acc/top1' in tested
