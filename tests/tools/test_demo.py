"""The demo, from making the videos to the table, with a handful of clips."""

import re

import pytest

from mmaction_multigrid.profiling import read_run
from mmaction_multigrid.profiling.runs import Point, Run

from ..small import load_tool


@pytest.fixture
def demo():
    return load_tool('study/demo')


def test_from_videos_to_table(demo, digits, small_config, tmp_path, monkeypatch, capsys):
    baseline = tmp_path / 'baseline.py'
    small = small_config.read_text().splitlines()
    baseline.write_text('\n'.join(line for line in small
                                  if not line.startswith(('custom_imports', 'runner_type', 'multigrid'))))
    monkeypatch.setattr(demo, 'CONFIGS', dict(baseline=str(baseline), multigrid=str(small_config)))
    monkeypatch.setattr(demo, 'make_videos', lambda data: None)
    monkeypatch.setattr('sys.argv', ['demo.py', '--data', str(digits), '--work-dir', str(tmp_path / 'runs'),
                                     '--out', str(tmp_path / 'demo.png')])
    demo.main()
    table = capsys.readouterr().out
    assert re.search(r'baseline +4 +96 +\d+ s +\d+\.\d %', table)
    assert re.search(r'multigrid / baseline +1\.00x +[\d.]+x fewer +[\d.-]+x? faster +[+-]', table)
    runs = [read_run(tmp_path / 'runs' / name) for name in ('baseline', 'multigrid')]
    assert [(run.end.epoch, run.end.iterations < 60) for run in runs] == [(4, False), (4, True)]
    assert len(runs[1].stages) > 1 and not runs[0].stages
    assert re.search(r'multigrid *│ +4/4 │ +(\d+)/\1 │ +1 x 16 x 48 │ +\d+\.\d % │ +\d+ s │ +0 s', table)  # the board
    assert re.search(r'\n(to [\d.]+ %: baseline \d+ s, multigrid|multigrid did not come to).*\n'
                     r'after \d+ s: multigrid [\d.]+ %, baseline (not yet evaluated|[\d.]+ %)\n', table)
    assert (tmp_path / 'digits_store').exists() or list(digits.parent.glob('*_store'))
    assert (tmp_path / 'demo.png').read_bytes().startswith(b'\x89PNG')


def run_of(name, *points):
    return Run(name, points=[Point(seconds, 1, 1, score) for seconds, score in points])


def test_the_verdict_by_hand(demo):
    base = run_of('baseline', (10., 50.), (90., 79.5), (100., 80.))
    assert demo.verdict(base, run_of('multigrid', (20., 79.5), (30., 79.))) == [
        'to 79.5 %: baseline 90 s, multigrid 20 s, 4.50x faster', 'after 30 s: multigrid 79.0 %, baseline 50.0 %']
    assert demo.verdict(base, run_of('multigrid', (9., 70.))) == [
        'multigrid did not come to 79.5 %, 0.5 below where baseline ends',
        'after 9 s: multigrid 70.0 %, baseline not yet evaluated']
