"""The user's path: a config that inherits a stock one, from a wheel, in a
folder of its own, through MMAction2's own ``tools/train.py``."""

import re

import pytest
import torch
from mmengine.config import Config

from ..docs.pages import NEW_STYLE, blocks
from ..small import STOCK_TOOLS
from ..stock import import_types
from .families import FAMILIES

COMMAND = ('-m', 'mmaction_multigrid')
STAGE = re.compile(r'Multigrid stage (\d+)/(\d+), .* x (\d+) x (\d+); lr')
CHECKPOINT = re.compile(r'epoch_(\d+)\.pth')


def weights(path):
    return torch.load(path, weights_only=False)['state_dict']


def epochs_saved(work_dir):
    return sorted(
        int(CHECKPOINT.fullmatch(path.name)[1])
        for path in work_dir.glob('epoch_*.pth'))


def import_style(family, data, folder):
    """Text of the guide's config in the style that inherits by import."""
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
    shown = python(*COMMAND, 'schedule', 'config.py', cwd=tmp_path)
    assert 'epochs, ' in shown
    shown = python(*COMMAND, 'check', 'config.py', cwd=tmp_path)
    assert 'speed-up:' in shown and 'fails' not in shown

    train = STOCK_TOOLS / 'train.py', 'config.py', '--work-dir'
    log = python(*train, 'run', cwd=tmp_path)
    stages = [tuple(map(int, found)) for found in STAGE.findall(log)]
    assert [stage for stage, *_ in stages] == list(range(
        1, stages[0][1] + 1)) and len(stages) > 1
    assert stages[-1][2:] == (family.frames, family.crop)  # the full grid
    saved = epochs_saved(tmp_path / 'run')
    assert len(saved) > 1 and 'Epoch(val)' in log

    middle = tmp_path / 'run' / f'epoch_{saved[family.resume_at]}.pth'
    python(*train, 'resumed', '--resume', middle, cwd=tmp_path)
    last = f'epoch_{saved[-1]}.pth'
    expected = weights(tmp_path / 'run' / last)
    resumed = weights(tmp_path / 'resumed' / last)
    assert all(
        torch.equal(resumed[key], expected[key]) for key in expected
        if 'new_cls' not in key)  # TPN's, of its first validation
    compare_with_record(name, tmp_path / 'run' / last)

    tested = python(
        STOCK_TOOLS / 'test.py',
        'config.py',
        tmp_path / 'run' / last,
        '--work-dir',
        'tested',
        cwd=tmp_path)
    assert 'acc/top1' in tested
