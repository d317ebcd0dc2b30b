"""The demo, from making the videos to the table, with a handful of clips."""

import re

import pytest

from mmaction_multigrid.plan import read_run

from ..small import load_tool


@pytest.fixture
def demo():
    module = load_tool('study/demo')
    yield module
    module.HOOKS.module_dict.pop('DemoHook')


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
    assert re.search(r'multigrid / baseline +1\.00 +[\d.]+x fewer +[\d.-]+x? faster +[+-]', table)
    runs = [read_run(tmp_path / 'runs' / name) for name in ('baseline', 'multigrid')]
    assert [(run.end.epoch, run.end.iterations < 60) for run in runs] == [(4, False), (4, True)]
    assert len(runs[1].stages) > 1 and not runs[0].stages
    assert (tmp_path / 'demo.png').read_bytes().startswith(b'\x89PNG')
