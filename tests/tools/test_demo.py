"""The demo, from making the videos to the table, with a handful of clips."""

import re

import pytest
from mmaction_multigrid.__main__ import main
from mmaction_multigrid.profiling import Run, read_run
from mmaction_multigrid.profiling.runs import Point
from mmengine.config import Config

from ..small import load_tool


@pytest.fixture
def demo():
    return load_tool('study/demo')


def test_from_videos_to_table(demo, small_config, tmp_path, monkeypatch,
                              capsys):

    def load(model, data, multigrid):
        cfg = Config.fromfile(small_config)
        if not multigrid:
            cfg.pop('multigrid')
        return cfg

    def make_data(data, variants):
        cfg = load('slowfast', data, True)
        store = cfg.train_dataloader.dataset.data_prefix.video + '_store'
        main(['store', 'build', store, '--config', str(small_config)])

    monkeypatch.setattr(demo.study_configs, 'load', load)
    monkeypatch.setattr(demo.study_configs, 'make_data', make_data)
    monkeypatch.setattr('sys.argv', [
        'demo.py', '--work-dir',
        str(tmp_path / 'runs'), '--out',
        str(tmp_path / 'demo.png')
    ])
    demo.main()
    table = capsys.readouterr().out
    assert re.search(r'baseline +4 +96 +\d+ s +\d+\.\d %', table)
    assert re.search(r'the end +\d+ s +\d+ s +[\d.]+x', table)
    assert re.search(r'\nafter \d+ s: multigrid [\d.]+ %, baseline ', table)
    runs = [read_run(tmp_path / 'runs' / name) for name in demo.NAMES]
    assert [run.end.epoch for run in runs] == [4, 4]
    assert runs[1].end.iterations < 60 and len(runs[1].stages) > 1
    assert (tmp_path / 'demo.png').read_bytes().startswith(b'\x89PNG')


def run_of(name, *points):
    return Run(
        name,
        points=[Point(seconds, 1, 1, score) for seconds, score in points])


def test_the_verdict_by_hand(demo):
    base = run_of('baseline', (10., 50.), (90., 79.5), (100., 80.))
    assert demo.verdict(base, run_of(
        'multigrid', (20., 79.5), (30., 79.))) == [
            'to 79.5 %: baseline 90 s, multigrid 20 s, 4.50x faster',
            'after 30 s: multigrid 79.0 %, baseline 50.0 %'
        ]
    assert demo.verdict(base, run_of('multigrid', (9., 70.))) == [
        'multigrid did not come to 79.5 %, 0.5 below where baseline ends',
        'after 9 s: multigrid 70.0 %, baseline not yet evaluated'
    ]
