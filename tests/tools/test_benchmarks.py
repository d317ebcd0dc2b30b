"""The benchmarks run; what they measure is not a test's to judge."""

from ..conftest import ROOT
from .conftest import run


def test_overheads():
    table = run(ROOT / 'tools' / 'benchmark_overheads.py', '--repeats', 2)
    for what in ('16 splits, over BatchNorm3d', 'ms an iteration', 'on 10^8 clips', 'apply_multigrid',
                 'change to another stage', 'new loader and workers', 'print_schedule.py, over'):
        assert what in table
