"""The demo, from making the videos to the table, with a handful of clips."""

import json

import pytest

from .conftest import load_tool


@pytest.fixture
def demo():
    module = load_tool('demo')
    module.DemoHook.curves.clear()
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
    assert 'x faster' in table
    curves = json.loads((tmp_path / 'runs' / 'demo.json').read_text())
    (_, base_iterations, base_epochs, _), (_, iterations, epochs, top1) = (curves[name][-1] for name in
                                                                           ('baseline', 'multigrid'))
    assert (base_iterations, base_epochs, epochs) == (96, 4, 4)
    assert iterations < 60
    assert 0 <= top1 <= 100
    assert (tmp_path / 'demo.png').read_bytes().startswith(b'\x89PNG')
