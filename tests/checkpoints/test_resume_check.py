"""Refuse to resume with another schedule, and name the differences."""

import json
import shutil

import pytest
import torch
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.lr import MultigridLR
from mmengine.runner import Runner

from ..engine.test_elsewhere import plain_config
from ..engine.test_training import last_weights, train
from ..toy import base_config, new_name

STAGES = [dict(epochs=2, num_frames=4), dict(epochs=1)]


def config(work_dir, **multigrid):
    return base_config(
        work_dir, num_clips=32, **{
            'stages': STAGES,
            **multigrid
        })


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
    """Train three epochs in two stages; return folder and records."""
    torch.set_num_threads(
        1)  # this fixture comes before the one that does it for every test
    folder = tmp_path_factory.mktemp('straight')
    return folder, train(config(folder))[1]


def resume(cfg, path):
    cfg.resume, cfg.load_from = True, str(path)
    return train(cfg)[1]


def test_checkpoints_hold_their_schedule_in_plain_values(straight):
    meta = torch.load(straight[0] / 'epoch_1.pth', weights_only=False)['meta']
    assert meta['multigrid'] == dict(
        batch=2,
        stages=[
            dict(epochs=2, shapes=[[2, 4, 16]]),
            dict(epochs=1, shapes=[[1, 8, 16]])
        ],
        # Twice the base batch in the first stage; of six base epochs the lr
        # falls after three and five.
        lr=[
            dict(
                points=[[0, 2.], [1.5, 0.2], [2, 0.1], [2.5, 0.1**2]],
                warmup_epochs=2.,
                warmup_factor=0.1,
                base={},
                clock=[])
        ],
        bn_base_size=2,
        accumulative_counts=1)
    assert json.loads(json.dumps(meta['multigrid'])) == meta['multigrid']


def stages(*entries, **first):
    """Return settings with a stage of two epochs and others."""
    return dict(stages=[dict(epochs=2, num_frames=4, **first), *entries])


REFUSED = [
    (stages(dict(epochs=1, crop_size=12)), [
        r'stages\[1\].shapes\[0\]: \[1, 8, 16\] in the '
        r'checkpoint, \[2, 8, 12\] now'
    ]),
    (stages(dict(epochs=1), lr_factor=0.5),
     [r'lr\[0\].points\[0\]: \[0, 2.0\] in the checkpoint, \[0, 0.5\] now']),
    (dict(bn_base_size=4), ['bn_base_size: 2 in the checkpoint, 4 now']),
    (dict(stages=None), [
        r'stages\[0\].shapes\[1\]: None in the checkpoint, '
        r'\[8, 2, 11\] now', r'stages\[3\].epochs: None in .*'
    ]),
]


@pytest.mark.parametrize(('settings', 'lines'), REFUSED)
def test_another_schedule_is_refused(straight, tmp_path, settings, lines):
    with pytest.raises(
            ValueError, match='trained with other settings') as error:
        resume(config(tmp_path, **settings), straight[0] / 'epoch_1.pth')
    for line in lines:
        error.match(rf'\n  {line}\n')
    error.match('load_from=CHECKPOINT')


def test_a_refused_resume_changes_nothing(straight, tmp_path):
    cfg = config(tmp_path)
    cfg.optim_wrapper.accumulative_counts = 2
    cfg.param_scheduler[0].end = 1
    cfg.resume, cfg.load_from = True, str(straight[0] / 'epoch_1.pth')
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    with pytest.raises(
            ValueError, match='accumulative_counts: 1 in the ch') as error:
        runner.train()
    error.match(r'lr\[0\].warmup_epochs: 2.0 in the checkpoint, 1.0 now')
    assert (runner.epoch, runner.iter) == (0, 0)
    saved = torch.load(cfg.load_from, weights_only=False)['state_dict']
    weight = runner.model.backbone.conv.weight
    assert not torch.equal(weight, saved['backbone.conv.weight'])
    assert not runner.optim_wrapper.optimizer.state


def test_a_checkpoint_of_a_plain_run_is_refused(tmp_path):
    train(plain_config(tmp_path / 'plain'), resolve=False)
    with pytest.raises(
            ValueError, match='a run without multigrid.*load_from=CHECKPOINT'):
        resume(
            base_config(tmp_path / 'multigrid'),
            tmp_path / 'plain' / 'epoch_1.pth')


def test_a_checkpoint_without_a_schedule_is_refused(straight, tmp_path):
    """Earlier versions wrote such checkpoints."""
    checkpoint = torch.load(straight[0] / 'epoch_1.pth', weights_only=False)
    checkpoint['meta']['multigrid_batch'] = checkpoint['meta'].pop(
        'multigrid')['batch']
    torch.save(checkpoint, tmp_path / 'old.pth')
    with pytest.raises(ValueError, match='of an earlier version'):
        resume(config(tmp_path), tmp_path / 'old.pth')
    cfg = config(tmp_path)
    cfg.load_from = str(tmp_path / 'old.pth')
    assert train(cfg)[1] == straight[1]


def test_settings_that_may_change_on_a_resume(straight, tmp_path):
    cfg = config(tmp_path, eval_freq=1)
    cfg.multigrid.precise_bn = 0
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
    cfg.default_hooks.logger.interval = 3
    assert resume(cfg, straight[0] / 'epoch_1.pth') == [
        record for record in straight[1] if record['epoch']
    ]
    ours, theirs = last_weights(tmp_path), last_weights(straight[0])
    learnt = [key for key in theirs if 'running' not in key
              ]  # without precise BN these are other statistics
    assert learnt
    for key in learnt:
        assert torch.equal(ours[key], theirs[key]), key


def test_the_explicit_form_resumes_the_short_form(straight, tmp_path):
    """The resolved config is dumped and read again."""
    shutil.copy(straight[0] / 'epoch_1.pth', tmp_path)
    apply_multigrid(config(tmp_path)).dump(tmp_path / 'resolved.py')
    cfg = apply_multigrid(config(tmp_path)).fromfile(tmp_path / 'resolved.py')
    assert resume(cfg, tmp_path / 'epoch_1.pth') == [
        record for record in straight[1] if record['epoch']
    ]


def test_a_scheduler_takes_over_its_position_only():
    """The state of a stock scheduler would make it step once an epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    lr = MultigridLR(optimizer, points=[(0, 4.)])
    before = dict(vars(lr))
    lr.load_state_dict(
        dict(
            last_step=7,
            _global_step=8,
            by_epoch=True,
            base_values=[9.],
            begin=3,
            end=5,
            param_name='x',
            milestones=[1],
            _last_value=[8.]))
    assert vars(lr) == {**before, 'last_step': 7, '_global_step': 7}
