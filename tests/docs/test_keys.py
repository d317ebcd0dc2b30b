"""Compare the pages on the keys of ``multigrid`` with the code."""

import pytest
from mmaction_multigrid import multigrid_schedule
from mmaction_multigrid.config.describe import (count_base_iterations,
                                                count_iterations)
from mmengine.config import Config

from ..small import K400, load_tool
from .pages import DOCS, table


def test_the_page_is_generated():
    written = load_tool('maintain/write_keys').page()
    assert written == (DOCS / 'keys.md').read_text(), (
        'run python tools/maintain/write_keys.py')
    assert ('## max_batch_factor\n\nDefault: `None`. Allowed: None, an '
            "integer of at least 1, or 'auto'.") in written


@pytest.mark.parametrize(
    'row', table(DOCS / 'schedule.md', 'keys'), ids=lambda row: row[0])
def test_the_effect_of_a_key_on_iterations_and_computing(row):
    cfg = Config.fromfile(K400)
    cfg.multigrid.update(eval(row[0].strip('`')))
    schedule, _ = multigrid_schedule(cfg, clips=240000, processes=8)
    iterations, base = (
        count(schedule, 8, 240000 // 8)
        for count in (count_iterations, count_base_iterations))
    assert base == 896250
    assert row[1:] == [
        str(schedule.max_epochs), f'{100 * iterations / base:.0f} %',
        f'{100 / schedule.predicted_speedup:.0f} %',
        str(
            max(shape.batch_factor for stage in schedule.stages
                for shape in stage.shapes))
    ]
