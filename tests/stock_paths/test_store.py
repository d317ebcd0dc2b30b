"""Train, validate and test stock configs from a frame store."""

import pytest

from ..small import STOCK_TOOLS
from .families import FAMILIES

OURS = """
custom_imports = dict(
    imports=['mmaction_multigrid'], allow_failed_imports=False)
custom_hooks = [dict(type='FrameStoreHook', store='store',
                     splits=['train', 'val', 'test'])]
"""
PLAIN = ('--cfg-options', 'custom_hooks=[]')


def losses(log):
    return [
        float(line.split(' loss: ')[1].split()[0])
        for line in log.splitlines() if ' loss: ' in line
    ]


@pytest.mark.parametrize('name', ['slowonly', 'tsn'])
def test_store(name, python, data, tmp_path):
    text = FAMILIES[name].text(str(data), ours=OURS)
    (tmp_path / 'config.py').write_text(text)
    build = '-m', 'mmaction_multigrid', 'store', 'build'
    config = 'store', '--config', 'config.py', '--processes', '1'
    shown = python(*build, *config, cwd=tmp_path)
    assert '32 of these 32 videos' in shown
    assert '4 of these 4 videos' in python(
        *build, data / 'val.txt', *config, '--root', data, cwd=tmp_path)

    train = STOCK_TOOLS / 'train.py', 'config.py', '--work-dir'
    stored, plain = (python(*train, run, *options, cwd=tmp_path)
                     for run, options in (('stored', ()), ('plain', PLAIN)))
    for split in ('train', 'val'):
        assert f'{split}: clips are read from store' in stored
    assert 'clips are read' not in plain
    ours, theirs = losses(stored), losses(plain)
    assert ours != theirs  # by the JPEG pictures of the same clips
    assert ours[:2] == pytest.approx(theirs[:2], abs=0.05)
    checkpoint = (tmp_path / 'stored' / 'last_checkpoint').read_text()
    tested = python(
        STOCK_TOOLS / 'test.py', 'config.py', checkpoint, cwd=tmp_path)
    assert 'test: clips are read from store' in tested
    assert 'acc/top1' in tested
