"""The command schedule, and its old name."""

import json

import pytest

from mmaction_multigrid.__main__ import main

from ..conftest import ROOT
from ..small import run

PRINT = ROOT / 'tools' / 'print_schedule.py'
CONFIGS = ROOT / 'configs' / 'recognition'
K400 = CONFIGS / 'slowfast' / 'slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py'


def expected_stages(data):
    """A reference's rows in the words of the contract."""
    given, output = data['input'], data['output']
    per_gpu = given['batch_size'] // given['num_gpus']
    ends = [end for _, _, end in output['schedule']] if output['schedule'] else output['steps'][1:]
    ends = [*ends, output['max_epochs']] if ends[-1] != output['max_epochs'] else ends
    stages, begin = [], 0
    for end in ends:
        row = [row for row in output['stages'] if row['epoch'] <= begin][-1]
        stages.append(dict(
            begin=begin, end=end,
            shapes=[[size // per_gpu, row['num_frames'], crop]
                    for size, crop in zip(row['short_batch_sizes_per_gpu'], row['short_crops'])],
            bn_splits=row['num_splits'] if row['norm'] == 'sub_batchnorm' else 1,
            frame_interval=[given['frame_interval'], row['max_interval'] or given['frame_interval']]))
        begin = end
    return stages


def write_config(data, folder):
    """A reference's input as a user would write it: a stock config and what differs."""
    given = data['input']
    scheduler = [dict(type='MultiStepLR', begin=0, end=given['max_epochs'], by_epoch=True,
                      milestones=given['steps'][1:], gamma=given['gamma'])]
    if given['warmup_epochs']:
        scheduler.insert(0, dict(type='LinearLR', by_epoch=True, begin=0, end=given['warmup_epochs'],
                                 start_factor=given['warmup_start_lr'] / given['base_lr'],
                                 convert_to_iter_based=True))
    path = folder / 'config.py'
    path.write_text(f"""
_base_ = ['{K400}']
train_cfg = dict(max_epochs={given['max_epochs']})
param_scheduler = {scheduler!r}
multigrid = dict(long_cycle={given['long_cycle']}, short_cycle={given['short_cycle']},
                 epoch_factor={given['epoch_factor']})
""")
    return path


@pytest.fixture
def schedule(capsys):
    """The command, in this process: what it prints as JSON."""
    def call(path):
        assert main(['schedule', str(path), '--format', 'json']) == 0
        return json.loads(capsys.readouterr().out)

    return call


def test_json_equals_the_reference(schedule, reference, tmp_path):
    info = schedule(write_config(reference, tmp_path))
    output = reference['output']
    assert info['max_epochs'] == output['max_epochs']
    expected = expected_stages(reference)
    assert [{key: stage[key] for key in expected[0]} for stage in info['stages']] == expected
    assert info['lr_factors'] == [[step, pytest.approx(lr, rel=1e-12)]
                                  for step, lr in zip(output['steps'], output['lrs'])]


def test_the_shipped_kinetics_config_by_hand(schedule):
    info = schedule(K400)
    assert [stage['end'] for stage in info['stages']] == [73, 110, 142, 158, 205, 228, 248, 259, 291, 308, 322, 329, 358]
    assert info['stages'][0] == dict(begin=0, end=73, lr_step=0, bn_splits=8, frame_interval=[2, 8],
                                     shapes=[[16, 8, 112], [8, 8, 158], [8, 8, 158]])
    assert info['lr_factors'][:2] == [[0, 8.0], [73, 4.0]]
    assert info['predicted_speedup'] == 3.4226


def test_table_by_its_old_name():
    table = run(PRINT, K400)
    assert '358 epochs, 3.42x fewer iterations' in table
    assert '128x8x112 64x8x158 64x8x158' in table


SCHEDULES = json.loads((ROOT / 'tests' / 'reference' / 'schedules.json').read_text())
SLOWONLY = """
_base_ = ['mmaction::recognition/slowonly/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb.py']
custom_imports = dict(imports=['mmaction_multigrid'], allow_failed_imports=False)
runner_type = 'MultigridRunner'
multigrid = dict()
train_cfg = dict(max_epochs=239)
param_scheduler = [dict(type='MultiStepLR', begin=0, end=239, by_epoch=True, milestones=[94, 154, 196], gamma=0.1)]
"""


def reference_stages(output):
    """(end, lr step, shape) of the stages that last."""
    stages, last = [], 0
    for lr_step, shape, end in output['schedule']:
        if end > last:
            stages.append((end, lr_step, shape))
        last = end
    return stages


@pytest.mark.parametrize(('name', 'pattern'), [
    ('sthv2', 'slowfast_*-multigrid_*sthv2-rgb.py'), ('sthv2', 'slowfast_*-multigrid_*sthv1-rgb.py'),
    ('sthv2', 'i3d_*-multigrid_*sthv2-rgb.py'), ('charades', 'slowfast_*-multigrid_*charades-rgb.py'),
    ('slowonly_8x8', None)])
def test_other_configs_equal_the_reference(schedule, name, pattern,
                                           tmp_path):
    """Long cycle and lr of settings that the reference implementation was run on."""
    if pattern:
        path, = CONFIGS.rglob(pattern)
    else:
        path = tmp_path / 'config.py'
        path.write_text(SLOWONLY)
    info, output = schedule(path), SCHEDULES[name]['output']
    assert info['max_epochs'] == output['max_epochs']
    found = [(stage['end'], stage['lr_step'], stage['shapes'][-1]) for stage in info['stages']]
    assert found == reference_stages(output)
    # Of several points at the same epoch the last is in force.
    factors = dict(zip(output['steps'], output['lrs']))
    assert info['lr_factors'] == [[epoch, pytest.approx(factors[epoch], rel=1e-12)] for epoch in sorted(factors)]
