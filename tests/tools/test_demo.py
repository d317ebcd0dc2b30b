"""The demo, from making the videos to the table, with a handful of clips."""

import re

import pytest

from mmaction_multigrid.profiling import Run, read_run
from mmaction_multigrid.profiling.runs import Point

from ..small import load_tool


@pytest.fixture
def demo():
    return load_tool('study/demo')


def test_from_videos_to_table(demo, digits, small_config, tmp_path,
                              monkeypatch, capsys):
    baseline = tmp_path / 'baseline.py'
    baseline.write_text('\n'.join(
        line for line in small_config.read_text().splitlines()
        if not line.startswith(('custom_imports', 'runner_type', 'multigrid'))))
    monkeypatch.setattr(demo, 'CONFIGS', dict(
        baseline=str(baseline), multigrid=str(small_config)))
    monkeypatch.setattr(demo.study_configs, 'make_videos', lambda *args: None)
    monkeypatch.setattr('sys.argv', [
        'demo.py', '--data', str(digits), '--work-dir', str(tmp_path / 'runs'),
        '--out', str(tmp_path / 'demo.png')])
    demo.main()
    table = capsys.readouterr().out
    assert re.search(r'baseline +4 +96 +\d+ s +\d+\.\d %', table)
    assert re.search(r'multigrid / baseline +1\.00x +[\d.]+x fewer ', table)
    assert re.search(r'\nafter \d+ s: multigrid [\d.]+ %, baseline ', table)
    runs = [read_run(tmp_path / 'runs' / name) for name in demo.CONFIGS]
    assert [run.end.epoch for run in runs] == [4, 4]
    assert runs[1].end.iterations < 60 and len(runs[1].stages) > 1
    assert (tmp_path / 'demo.png').read_bytes().startswith(b'\x89PNG')


def run_of(name, *points):
    return Run(name, points=[Point(seconds, 1, 1, score)
                             for seconds, score in points])


def test_the_verdict_by_hand(demo):
    base = run_of('baseline', (10., 50.), (90., 79.5), (100., 80.))
    assert demo.verdict(base, run_of('multigrid', (20., 79.5), (30., 79.))) == [
        'to 79.5 %: baseline 90 s, multigrid 20 s, 4.50x faster',
        'after 30 s: multigrid 79.0 %, baseline 50.0 %']
    assert demo.verdict(base, run_of('multigrid', (9., 70.))) == [
        'multigrid did not come to 79.5 %, 0.5 below where baseline ends',
        'after 9 s: multigrid 70.0 %, baseline not yet evaluated']
