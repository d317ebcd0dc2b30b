"""Run the demo with few clips."""

import re

import pytest
from mmaction_multigrid.__main__ import main
from mmaction_multigrid.profiling.runs import read_run
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

    def make_data():
        main(['store', 'build', str(store), '--config', str(small_config)])

    store = tmp_path / 'store'
    monkeypatch.setattr(demo, 'STORE', store)
    monkeypatch.setattr(demo, 'make_data', make_data)
    monkeypatch.setattr(demo.study_configs, 'load', load)
    monkeypatch.setattr(demo, 'WORK_DIR', tmp_path / 'runs')
    monkeypatch.setattr(demo, 'PLOT', tmp_path / 'demo.png')
    monkeypatch.setattr('sys.argv', ['demo.py', '--seed', '1'])
    demo.main()
    table = capsys.readouterr().out
    assert re.search(r'multigrid\n +\d+ iterations, \d+ s of CPU time: ',
                     table)
    assert re.search(r'baseline +4 +96 ', table)  # epochs, iterations
    runs = [read_run(tmp_path / 'runs' / name) for name in demo.NAMES]
    assert [run.end.epoch for run in runs] == [4, 4]
    assert runs[1].end.iterations < 60
    for name in demo.NAMES:
        log, = (tmp_path / 'runs' / name).glob('*/*.log')
        assert re.search(r'seed: 1\b', log.read_text())
    assert (tmp_path / 'demo.png').read_bytes().startswith(b'\x89PNG')
