"""Compare the command ``schedule`` with the reference implementation."""

import json

import pytest
from mmaction_multigrid.__main__ import main

from ..conftest import ROOT
from ..small import K400, run

CONFIGS = ROOT / 'configs' / 'recognition'
SCHEDULES = json.loads(
    (ROOT / 'tests' / 'reference' / 'schedules.json').read_text())
SLOWONLY = """
_base_ = ['mmaction::recognition/slowonly/'
          'slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb.py']
multigrid = dict()
train_cfg = dict(max_epochs=239)
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=239, by_epoch=True,
         milestones=[94, 154, 196], gamma=0.1)
]
"""


@pytest.fixture
def schedule(capsys):
    """Run the command, and return its JSON."""

    def call(path):
        assert main(['schedule', str(path), '--format', 'json']) == 0
        return json.loads(capsys.readouterr().out)

    return call


def lr_of(output):
    """Return the lr of a reference: the last point of every epoch."""
    factors = dict(zip(output['steps'], output['lrs']))
    return [[epoch, pytest.approx(factors[epoch], rel=1e-12)]
            for epoch in sorted(factors)]


def write_config(given, path):
    """Write a reference's input as changes of a stock config."""
    scheduler = [
        dict(
            type='MultiStepLR',
            begin=0,
            end=given['max_epochs'],
            by_epoch=True,
            milestones=given['steps'][1:],
            gamma=given['gamma'])
    ]
    if given['warmup_epochs']:
        scheduler.insert(
            0,
            dict(
                type='LinearLR',
                by_epoch=True,
                begin=0,
                end=given['warmup_epochs'],
                convert_to_iter_based=True,
                start_factor=given['warmup_start_lr'] / given['base_lr']))
    keys = ('long_cycle', 'short_cycle', 'epoch_factor')
    path.write_text(f"""
_base_ = ['{K400}']
train_cfg = dict(max_epochs={given['max_epochs']})
param_scheduler = {scheduler!r}
multigrid = {({key: given[key] for key in keys})!r}
""")
    return path


def test_json_equals_the_reference(schedule, reference, tmp_path):
    given, output = reference['input'], reference['output']
    info = schedule(write_config(given, tmp_path / 'config.py'))
    assert info['max_epochs'] == output['max_epochs']
    assert info['lr_factors'] == lr_of(output)
    ends = ([end for _, _, end in output['schedule'] or []]
            or output['steps'][1:])
    assert {stage['end']
            for stage in info['stages']} == {*ends, output['max_epochs']}
    assert {(stage['end'], stage['lr_step'], *stage['shapes'][-1])
            for stage in info['stages']
            } >= {(end, lr_step, *shape)
                  for lr_step, shape, end in output['schedule'] or []}
    per_gpu = given['batch_size'] // given['num_gpus']
    for stage in info['stages']:
        row = [
            row for row in output['stages'] if row['epoch'] <= stage['begin']
        ][-1]
        assert stage['shapes'] == [
            [size // per_gpu, row['num_frames'], crop] for size, crop in zip(
                row['short_batch_sizes_per_gpu'], row['short_crops'])
        ]
        # The reference keeps its last splits beside plain batch norm.
        assert stage['bn_splits'] == (
            row['num_splits'] if row['norm'] == 'sub_batchnorm' else 1)
        assert stage['frame_interval'] == [
            given['frame_interval'], row['max_interval']
            or given['frame_interval']
        ]


def test_the_shipped_kinetics_config_by_hand(schedule):
    info = schedule(K400)
    assert info['stages'][0] == dict(
        begin=0,
        end=73,
        lr_step=0,
        bn_splits=8,
        frame_interval=[2, 8],
        shapes=[[16, 8, 112], [8, 8, 158], [8, 8, 158]])
    assert info['lr_factors'][:2] == [[0, 8.0], [73, 4.0]]
    assert info['predicted_speedup'] == 3.4226
    table = run(ROOT / 'tools' / 'print_schedule.py', K400)
    assert "358 epochs, 29 % of base training's computing" in table
    assert '--auto-scale-lr' in table
    assert '128x8x112 64x8x158 64x8x158' in table


@pytest.mark.parametrize(('name', 'pattern'), [
    ('sthv2', 'slowfast_*-multigrid_*sthv2-rgb.py'),
    ('sthv2', 'slowfast_*-multigrid_*sthv1-rgb.py'),
    ('sthv2', 'i3d_*-multigrid_*sthv2-rgb.py'),
    ('charades', 'slowfast_*-multigrid_*charades-rgb.py'),
    ('slowonly_8x8', None),
])
def test_other_configs_equal_the_reference(schedule, name, pattern, tmp_path):
    """Compare long cycle and lr."""
    (tmp_path / 'config.py').write_text(SLOWONLY)
    path, = CONFIGS.rglob(pattern) if pattern else tmp_path.iterdir()
    info, output = schedule(path), SCHEDULES[name]['output']
    assert info['max_epochs'] == output['max_epochs']
    assert info['lr_factors'] == lr_of(output)
    ends = [0, *(end for _, _, end in output['schedule'])]
    assert ([
        [stage['lr_step'], stage['shapes'][-1], stage['end']]
        for stage in info['stages']
    ] == [row for row, end in zip(output['schedule'], ends) if row[2] > end])
