"""The commands schedule, by its old name too, and resolve, as a user runs them."""

import json
import subprocess
import sys

import pytest

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


def test_json_equals_the_reference(reference, tmp_path):
    info = json.loads(run(PRINT, write_config(reference, tmp_path), '--format', 'json'))
    output = reference['output']
    assert info['max_epochs'] == output['max_epochs']
    expected = expected_stages(reference)
    assert [{key: stage[key] for key in expected[0]} for stage in info['stages']] == expected
    assert info['lr_factors'] == [[step, pytest.approx(lr, rel=1e-12)]
                                  for step, lr in zip(output['steps'], output['lrs'])]


def test_the_shipped_kinetics_config_by_hand():
    info = json.loads(run(PRINT, K400, '--format', 'json'))
    assert [stage['end'] for stage in info['stages']] == [73, 110, 142, 158, 205, 228, 248, 259, 291, 308, 322, 329, 358]
    assert info['stages'][0] == dict(begin=0, end=73, lr_step=0, bn_splits=8, frame_interval=[2, 8],
                                     shapes=[[16, 8, 112], [8, 8, 158], [8, 8, 158]])
    assert info['lr_factors'][:2] == [[0, 8.0], [73, 4.0]]
    assert info['predicted_speedup'] == 3.4226


def test_table_and_picture(tmp_path):
    table = run(PRINT, K400, '--png', tmp_path / 'schedule.png')
    assert '358 epochs, 3.42x fewer iterations' in table
    assert '128x8x112 64x8x158 64x8x158' in table
    assert (tmp_path / 'schedule.png').read_bytes().startswith(b'\x89PNG')


def test_options_change_the_schedule():
    info = json.loads(run(PRINT, K400, '--format', 'json', '--cfg-options', 'multigrid.epoch_factor=1.0'))
    assert info['max_epochs'] == 239


def test_a_plain_config_has_no_schedule():
    plain = next(CONFIGS.rglob('slowfast-tiny_*moving-digits*'))
    result = subprocess.run([sys.executable, str(PRINT), str(plain)], capture_output=True, text=True)
    assert result.returncode == 2
    assert 'has no multigrid key' in result.stderr


def test_the_resolved_config_is_printed_or_written(tmp_path):
    out = tmp_path / 'resolved.py'
    run('-m', 'mmaction_multigrid', 'resolve', K400, out)
    printed = run('-m', 'mmaction_multigrid', 'resolve', K400)
    assert "type='MultigridBatchSampler'" in printed
    assert 'runner_type' not in printed
    assert printed.strip().endswith(out.read_text().strip())


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
def test_other_configs_equal_the_reference(name, pattern, tmp_path):
    """Long cycle and lr of settings that the reference implementation was run on."""
    if pattern:
        path, = CONFIGS.rglob(pattern)
    else:
        path = tmp_path / 'config.py'
        path.write_text(SLOWONLY)
    info, output = json.loads(run(PRINT, path, '--format', 'json')), SCHEDULES[name]['output']
    assert info['max_epochs'] == output['max_epochs']
    found = [(stage['end'], stage['lr_step'], stage['shapes'][-1]) for stage in info['stages']]
    assert found == reference_stages(output)
    # Of several points at the same epoch the last is in force.
    factors = dict(zip(output['steps'], output['lrs']))
    assert info['lr_factors'] == [[epoch, pytest.approx(factors[epoch], rel=1e-12)] for epoch in sorted(factors)]
