"""The stacks of noxfile.py: the limits of what is let in, and what the documents say is tested."""

import importlib.util
import re

import pytest

from mmaction_multigrid.compat import REQUIREMENTS
from mmaction_multigrid.patches import release

from .conftest import ROOT

spec = importlib.util.spec_from_file_location('noxfile', ROOT / 'noxfile.py')
noxfile = importlib.util.module_from_spec(spec)
spec.loader.exec_module(noxfile)

NAMES = dict(torch='torch', mmengine='mmengine', mmcv='mmcv-lite', mmaction='mmaction2')


def test_the_oldest_is_the_lowest_that_is_let_in():
    for module, minimum, _ in REQUIREMENTS:
        assert release(noxfile.OLDEST[NAMES[module]])[:2] == release(minimum)[:2]
    text = (ROOT / 'pyproject.toml').read_text()
    assert re.search(r'requires-python = ">=(.*)"', text)[1] == noxfile.PYTHONS[0]
    assert tuple(re.findall(r'Python :: (3\.\d+)"', text)) == noxfile.PYTHONS


@pytest.mark.parametrize('stack', noxfile.STACKS, ids=str)
def test_the_documents_name_it(stack, monkeypatch):
    """A row of docs/installation.md for each, with its own versions."""
    monkeypatch.chdir(ROOT)
    python, others = stack.args
    text = (ROOT / 'docs' / 'installation.md').read_text()
    row, = re.findall(rf'^\| `{re.escape(stack.id)}` \|(.*)\|$', text, re.MULTILINE)
    cells = [cell.strip() for cell in row.split('|')]
    assert cells[0] == python
    pins = noxfile.pins(others)
    for cell, name in zip(cells[1:6], (*NAMES.values(), 'numpy')):
        assert [pin for pin in pins if pin.split(';')[0] == f'{name}=={cell}'], name
