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
# The same clips without their first and last frames.
SEGMENTS = """
train_dataloader['dataset'].update(
    type='VideoSegmentDataset', unit='frames', ann_file='segments.txt')
train_pipeline.insert(1, dict(type='LimitToSegment'))
"""
PLAIN = ('--cfg-options', 'custom_hooks=[]')


def losses(log):
    return [
        float(line.split(' loss: ')[1].split()[0])
        for line in log.splitlines() if ' loss: ' in line
    ]


@pytest.mark.parametrize(('name', 'more'), [('slowonly', ''), ('tsn', ''),
                                            ('tsn', SEGMENTS)])
def test_store(name, more, python, data, tmp_path):
    text = FAMILIES[name].text(str(data), ours=OURS)
    (tmp_path / 'config.py').write_text(text + more)
    (tmp_path / 'segments.txt').write_text(
        (data / 'train.txt').read_text().replace(' ', ' 2 22 '))
    command = '-m', 'mmaction_multigrid', 'store'
    options = '--config', 'config.py', '--splits', 'train', 'val', 'test'
    assert '36 of these 36 videos' in python(
        *command, 'build', 'store', *options, '--processes', 1, cwd=tmp_path)
    shown = python(*command, 'check', 'store', *options, cwd=tmp_path)
    assert ' pixels: a PSNR of ' in shown and '36 copies, 0 of' in shown

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
