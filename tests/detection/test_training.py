"""Train detectors with MMAction2's own tools."""

import re
from math import isfinite

import torch
from mmaction_multigrid import multigrid_schedule
from mmengine.config import Config

from ..conftest import ROOT
from ..small import STOCK_TOOLS
from .configs import CONFIGS, write


def test_train_resume_and_test(detect, actors, tmp_path):
    write('slowfast', actors, tmp_path)
    train = STOCK_TOOLS / 'train.py', 'slowfast.py', '--work-dir'
    log = detect(*train, 'run', cwd=tmp_path)
    stages = re.findall(r'Multigrid stage (\d)/(\d).* x (\d+) x (\d+); lr',
                        log)
    assert len(stages) == int(stages[-1][0]) > 2
    assert stages[0][2:] != stages[-1][2:] == ('32', '64')
    saved = sorted((tmp_path / 'run').glob('epoch_*.pth'))
    detect(*train, 'resumed', '--resume', saved[-2], cwd=tmp_path)
    ends = [
        torch.load(tmp_path / run / saved[-1].name,
                   weights_only=False)['state_dict']
        for run in ('run', 'resumed')
    ]
    assert all(
        torch.equal(ends[1][key], value) for key, value in ends[0].items())
    tested = detect(
        STOCK_TOOLS / 'test.py',
        'slowfast.py',
        saved[-1],
        '--work-dir',
        'tested',
        cwd=tmp_path)
    # mAP of the last validation
    overall = re.findall(r'mAP/overall: ([\d.]+)', log + tested)
    assert len(overall) == len(saved) + 1 and overall[-2] == overall[-1]


def test_a_step_at_each_shape(detect, actors, tmp_path):
    paths = [
        write(name, actors, tmp_path) for name in CONFIGS if name != 'slowfast'
    ]
    printed = detect(
        ROOT / 'tests' / 'detection' / 'steps.py', *paths, cwd=tmp_path)
    steps = re.findall(r'^(\w+) (\d+) (\d+) (\d+) ([\d.]+|nan)$', printed,
                       re.M)
    assert all(isfinite(float(loss)) for *_, loss in steps)
    for path in paths:
        schedule, _ = multigrid_schedule(Config.fromfile(path))
        assert {
            tuple(map(int, shape))
            for name, *shape, _ in steps if name == path.stem
        } == {
            tuple(shape)
            for stage in schedule.stages for shape in stage.shapes
        }
