"""What the pages say of the keys of multigrid, and what they do, is what the code does."""

import pytest
from mmengine.config import Config

from mmaction_multigrid import multigrid_schedule
from mmaction_multigrid.config.describe import count_base_iterations, count_iterations

from ..conftest import ROOT
from ..small import load_tool
from .pages import DOCS, table

K400 = ROOT / 'configs/recognition/slowfast/slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py'


def test_the_reference_is_what_the_code_says():
    written = load_tool('maintain/write_keys').page()
    assert written == (DOCS / 'keys.md').read_text(), 'run python tools/maintain/write_keys.py'
    assert "## max_batch_factor\n\nDefault: `None`. Allowed: None, an integer of at least 1, or 'auto'." in written


@pytest.mark.parametrize('row', table(DOCS / 'schedule.md', 'keys'), ids=lambda row: row[0])
def test_what_a_key_does_to_updates_and_computing(row):
    cfg = Config.fromfile(K400)
    cfg.multigrid.update(eval(row[0].strip('`')))
    schedule, _ = multigrid_schedule(cfg, clips=240000, processes=8)
    share = 240000 // 8
    updates, base = count_iterations(schedule, 8, share), count_base_iterations(schedule, 8, share)
    assert base == 896250
    largest = max(shape.batch_factor for stage in schedule.stages for shape in stage.shapes)
    shares = [f'{100 * updates / base:.0f} %', f'{100 / schedule.predicted_speedup:.0f} %']
    assert row[1:] == [str(schedule.max_epochs), *shares, str(largest)]


@pytest.mark.parametrize('row', table(DOCS / 'schedule.md', 'accuracy'), ids=lambda row: row[0])
def test_what_a_key_did_to_accuracy(row):
    """As in the tables of the results."""
    rows = [cells for kind in ('peers', 'ablations') for cells in table(
        DOCS / 'results' / 'README.md', f'{kind} slowfast digits clips=2500') if cells[0] == row[0]]
    assert rows
    for cells in rows:
        assert row[1:] == [cells[2], cells[3].split()[0], cells[-1]]
