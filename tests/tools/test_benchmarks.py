"""The benchmarks run; what they measure is not a test's to judge."""

import re

from ..conftest import ROOT
from ..small import run


def test_overheads():
    table = run(ROOT / 'tools' / 'benchmark' / 'overheads.py', '--repeats', 2)
    rows = [re.split(r'[│┃]', line)[1:3] for line in table.splitlines() if '│' in line]
    figures = {what.strip(): [float(number) for number in re.findall(r'[\d.]+', text)] for what, text in rows}
    *timed, = (name for name in figures if '10^8' not in name)
    assert len(timed) == 7
    for name in timed:  # median and quartiles of something that took time
        middle, low, high = figures[name]
        assert 0 < low <= middle <= high, name
    # A list of all batches would take gigabytes.
    assert figures['batch sampler on 10^8 clips, KiB'][0] < 100
