"""tools/README.md has a line for every tool, and for none that is not there."""

import re

from .conftest import ROOT

TOOLS = ROOT / 'tools'


def test_every_tool_is_told_of():
    rows = [line.split('|')[1] for line in (TOOLS / 'README.md').read_text().splitlines() if line.startswith('| `')]
    told = {name for row in rows for name in re.findall('`([^`]+)`', row)}
    there = {str(path.relative_to(TOOLS)) for kind in ('*.py', '*.sh') for path in TOOLS.rglob(kind)}
    assert told == there
