"""Compare the stacks of noxfile.py with the requirements."""

import importlib.util
import re

from mmaction_multigrid.compat import REQUIREMENTS
from mmengine.utils import digit_version

from .conftest import ROOT

NAMES = dict(mmcv='mmcv-lite', mmaction='mmaction2')


def test_the_oldest_stack_has_the_lowest_versions():
    path = ROOT / 'noxfile.py'
    spec = importlib.util.spec_from_file_location('noxfile', path)
    noxfile = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(noxfile)
    for name, minimum, _ in REQUIREMENTS:
        oldest = noxfile.OLDEST[NAMES.get(name, name)]
        assert digit_version(oldest)[:2] == digit_version(minimum)[:2]
    text = (ROOT / 'pyproject.toml').read_text()
    assert f'requires-python = ">={noxfile.PYTHONS[0]}"' in text
    assert tuple(re.findall(r'Python :: (3\.\d+)"', text)) == noxfile.PYTHONS
    page = (ROOT / 'docs' / 'get_started.md').read_text()
    for stack in noxfile.STACKS:
        assert f'| `{stack.id}` | {stack.args[0]} |' in page
