"""Run the benchmark for GPUs at toy size on a CPU."""

import json

from mmaction_multigrid.__main__ import main
from mmaction_multigrid.profiling import steps
from mmengine.config import Config

from ..small import load_tool


def test_lines_become_figures(small_config, tmp_path, monkeypatch):
    store, config = str(tmp_path / 'store'), tmp_path / 'two.py'
    cfg = Config.fromfile(small_config)
    cfg.multigrid = dict(
        short_cycle=False, long_cycle_factors=[(0.5, 0.5), (1, 1)])
    cfg.dump(config)
    main(['store', 'build', store, '--config', str(config)])
    gpu, figures = map(load_tool, ('benchmark/gpu', 'study/figures'))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(steps, 'STEP_SECONDS', 0)
    monkeypatch.setattr(gpu, 'ITERATIONS', 20)
    arguments = [
        str(config), '--batch-sizes', '2', '--store', store, '--backend',
        'eager'
    ]
    monkeypatch.setattr('sys.argv', ['gpu.py', *arguments])
    gpu.main()
    path = tmp_path / 'gpu.jsonl'
    short, *measured = map(json.loads, path.read_text().splitlines())
    assert short['variant'] == 'run' and 0 < short['waiting'] < 1
    assert 10 <= short['iterations'] <= 30
    assert [(record['variant'], record['conditions'].get('compiled'))
            for record in measured] == [('fp32', None), ('bfloat16', None),
                                        ('fp32', 1), ('bfloat16', 1)]
    assert not any(step['error'] for record in measured
                   for step in record['steps'])
    groups = load_tool('study/records').read(tmp_path)
    for options in ('batch=2', 'batch=2 compiled=1'):
        speedup = figures.figure(groups, f'gpu two bfloat16 speedup {options}')
        assert 0 < float(speedup[:-1]) < 100

    monkeypatch.setattr('sys.argv', ['gpu.py', *arguments, '--minutes', '0'])
    gpu.main()
    assert len(path.read_text().splitlines()) == 1 + len(measured)
