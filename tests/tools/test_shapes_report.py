"""The tables and forecasts of benchmark_shapes.py's records."""

import json

import pytest

from mmaction_multigrid import multigrid_schedule
from mmaction_multigrid.plan import Probe
from mmaction_multigrid.schedule import Shape

from ..conftest import ROOT
from ..small import load_tool
from ..toy import base_config


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    return load_tool('study/shapes')


def row(precision, clips, num_frames, crop_size, seconds, loaded):
    return dict(precision=precision, clips=clips, num_frames=num_frames, crop_size=crop_size, seconds=seconds,
                peak_memory=clips * 2**20, loaded_per_second=loaded, error=None)


@pytest.fixture
def schedule(tmp_path):
    """Two epochs of a batch four times the size, one at the full grid; the base trains six."""
    stages = [dict(epochs=2, batch_factor=4, num_frames=4, crop_size=11), dict(epochs=1)]
    return multigrid_schedule(base_config(tmp_path, stages=stages))[0]


@pytest.mark.parametrize(('loaded', 'expected'), [
    (1000., 2 / 8 * 2. + 1 / 2 * 1.),  # seconds a clip: two epochs of steps of 2 s for 8 clips, one of 1 s for 2
    (2., 2 / 8 * 4. + 1 / 2 * 1.),  # a coarse batch takes 4 s to load
])
def test_hours_of_a_schedule_by_hand(report, schedule, loaded, expected):
    rows = [row('fp32', 8, 4, 11, 2., loaded), row('fp32', 2, 8, 16, 1., 1000.)]
    ours, base = report.forecast(schedule, rows, dict(stock_loaded_per_second=1.))
    assert ours == pytest.approx(expected * 30000 / 3600)
    assert base == pytest.approx(6 / 2 * 2. * 30000 / 3600)  # 2 s to load a batch of 2
    ready = report.forecast(schedule, rows)
    assert ready == pytest.approx((30000 / 3600, 3 * 30000 / 3600))


def test_the_forecast_of_the_benchmark(schedule, capsys):
    benchmark = load_tool('benchmark/shapes')
    probes = [Probe(Shape(4, 4, 11), 8, seconds=2.), Probe(Shape(1, 8, 16), 2, seconds=1.)]
    benchmark.print_forecast(schedule, probes, 2, 3600, {Shape(4, 4, 11): 2., Shape(1, 8, 16): 1000.}, 1.)
    assert capsys.readouterr().out.splitlines() == [
        'with all clips ready: 3.00x; wall-clock for 3600 clips 1 h, base 3 h',
        'with this loader: 4.00x; wall-clock for 3600 clips 1.5 h, base 6 h']


def test_the_tables(report, tmp_path, monkeypatch):
    monkeypatch.setattr(report, 'RESULTS', tmp_path)
    config = 'configs/recognition/slowfast/slowfast-tiny-multigrid_1xb8-16x1x1-steplr-6e_moving-digits16-rgb.py'
    shapes = [(128, 4, 24), (64, 4, 34), (64, 8, 24), (32, 8, 34), (16, 8, 48), (32, 16, 24), (16, 16, 34), (8, 16, 48)]
    rows = [row(precision, *shape, step, 100.) for precision, step in (('fp32', 0.5), ('bfloat16', 0.25))
            for shape in shapes]
    record = dict(config=config, device='a GPU', stock_loaded_per_second=10., rows=rows)
    (tmp_path / 'found.json').write_text(json.dumps(record))
    first, *_, last = report.shapes_table('found').splitlines()[2:]
    assert first == '| 128 x 4 x 24 | 0.500 | 1.00 | 256 | 0.250 | 1.00 | 100 | 128 | 128 |'
    assert last == '| 8 x 16 x 48 | 0.500 | 1.00 | 16 | 0.250 | 1.00 | 100 | 8 | 8 |'
    header, _, steps = report.steps_table('found').splitlines()[:3]
    assert header.startswith('| step (memory), of the base shape | frames 0.25, crop 0.5 | frames 0.25, crop 0.7 |')
    assert steps.split(' | ', 1)[1] == ' | '.join(f'1.00 ({clips / 8:.2f})' for clips, *_ in shapes[:-1]) + ' |'
    lines = report.forecast_table('found').splitlines()[2:]
    assert [line.split(' | ')[0] for line in lines] == [
        '| slowfast-tiny_1xb8-16x1x1-steplr-6e_moving-digits16-rgb, ' + text
        for text in ('fp32', 'fp32, with the loader', 'bfloat16', 'bfloat16, with the loader')]
    assert lines[0].split(' | ')[1:5] == ['0.500', '0.500', '8', '128']
    # Of steps that all take the same: iterations of the base over those of multigrid.
    assert lines[0].endswith(' 3.32x |')
