"""The benchmarks run; what they measure is not a test's to judge."""

import json
import re

from ..conftest import ROOT
from ..small import run


def test_overheads():
    table = run(ROOT / 'tools' / 'benchmark' / 'overheads.py', '--repeats', 2)
    rows = [re.split(r'[│┃]', line)[1:3] for line in table.splitlines() if '│' in line]
    figures = {what.strip(): [float(number) for number in re.findall(r'[\d.]+', text)] for what, text in rows}
    *timed, = (name for name in figures if '10^8' not in name)
    assert len(timed) == 17
    for name in timed:  # median and quartiles of something that took time
        middle, low, high = figures[name]
        assert 0 < low <= middle <= high, name
    # Neither depends on the machine: a list of all batches would take gigabytes, and eight workers sleep in parallel.
    assert figures['batch sampler on 10^8 clips, KiB'][0] < 100
    assert figures['first batch of an epoch, 128 clips, in pieces by 8 workers, over whole by one'][0] < 0.6


def test_shapes(small_config, tmp_path):
    found = tmp_path / 'found.json'
    output = run(ROOT / 'tools' / 'benchmark' / 'shapes.py', small_config, '--repeats', 1, '--clips', 1000, '--json',
                 found)
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
