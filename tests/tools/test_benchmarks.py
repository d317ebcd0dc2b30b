"""The benchmarks run; what they measure is not a test's to judge."""

import re

from ..conftest import ROOT
from ..small import run


def test_overheads():
    table = run(ROOT / 'tools' / 'benchmark' / 'overheads.py', '--repeats', 2)
    figures = re.findall(r'([\d.]+) \(([\d.]+) to ([\d.]+)\)', table)
    assert len(figures) == 7
    for middle, low, high in figures:  # of something that took time
        assert 0 < float(low) <= float(middle) <= float(high)
