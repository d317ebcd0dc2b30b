"""The benchmarks run; what they measure is not a test's to judge."""

import json

from ..conftest import ROOT
from .conftest import run


def test_overheads():
    table = run(ROOT / 'tools' / 'benchmark_overheads.py', '--repeats', 2)
    for what in ('16 splits, over BatchNorm3d', 'ms an iteration', 'on 10^8 clips', 'apply_multigrid',
                 'change to another stage', 'new loader and workers', 'first batch of an epoch',
                 'print_schedule.py, over'):
        assert what in table


def test_shapes(small_config, tmp_path):
    found = tmp_path / 'found.json'
    output = run(ROOT / 'tools' / 'benchmark_shapes.py', small_config, '--repeats', 1, '--clips', 1000, '--json', found)
    assert 'bfloat16:' in output
    assert 'wall-clock for 1000 clips' in output
    rows = json.loads(found.read_text())['rows']
    shapes = {(row['clips'], row['num_frames'], row['crop_size']) for row in rows}
    assert {(1, 16, 48), (16, 4, 24)} <= shapes
    assert len(rows) == 2 * len(shapes)
    for row in rows:
        assert row['error'] is None
        assert row['seconds'] > 0
        assert row['loaded_per_second'] > 0
