"""Whole toy runs on the stock Runner: shapes, lr, counts, checkpoints, resume."""

import itertools
import json
import os
import re
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmaction_multigrid import apply_multigrid, multigrid_schedule

from ..toy import RecordHook, SplitsHook, base_config, close_workers, new_name


def train(cfg, resolve=True):
    """Run a config; what each iteration saw."""
    RecordHook.records.clear()
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg) if resolve else cfg))
    runner.train()
    close_workers(runner)
    return runner, list(RecordHook.records)


@pytest.fixture
def cfg(tmp_path):
    return base_config(tmp_path)


@pytest.mark.parametrize('settings', [
    dict(), dict(long_cycle=False), dict(short_cycle=False), dict(short_cycle_reference='stage'), dict(precise_bn=0),
    dict(epoch_factor=1.), dict(bn_base_size=2), dict(stages=[dict(epochs=2, crop_size=8), dict(epochs=1)])], ids=str)
def test_every_iteration_has_its_shape_and_lr(cfg, settings):
    cfg.multigrid.update(settings)
    schedule, _ = multigrid_schedule(cfg)
    runner, records = train(cfg)
    expected = []
    for stage in schedule.stages:
        for epoch in range(stage.begin, stage.end):
            shapes = [stage.shapes[i % len(stage.shapes)] for i in range(64)]
            ends = itertools.accumulate(2 * shape.batch_factor for shape in shapes)
            length = sum(end <= 64 for end in ends)  # of 64 clips in batches of 2 base clips
            for i, shape in enumerate(shapes[:length]):
                lr = pytest.approx(0.01 * schedule.lr(epoch + i / length), rel=1e-12)
                expected.append((epoch, 2 * shape.batch_factor, *shape[1:], lr))
    assert [tuple(record[key] for key in ('epoch', 'batch', 'frames', 'crop', 'lr')) for record in records] == expected
    assert len(records) == runner.max_iters == runner.iter
    assert records[-1]['epoch'] == runner.max_epochs - 1
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())


@pytest.mark.parametrize(('drop_last', 'clips'), [(False, 13), (True, 13), (False, 12)])
def test_the_lr_of_one_full_stage_is_that_of_base_training(cfg, tmp_path, drop_last, clips):
    """To the iteration, in every parameter group: a smallest lr is not a share of a group's."""
    cfg.train_dataloader.dataset.num_clips = clips
    cfg.train_dataloader.drop_last = drop_last
    cfg.optim_wrapper.paramwise_cfg = dict(custom_keys={'backbone': dict(lr_mult=0.1)})
    cfg.param_scheduler = [dict(type='CosineAnnealingLR', T_max=8, eta_min=1e-3, convert_to_iter_based=True),
                           dict(type='MultiStepLR', milestones=[4], gamma=0.5),
                           dict(type='PolyLR', power=2, begin=1, end=5, convert_to_iter_based=True)]
    seen = []

    class GroupsHook(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if len(data_batch['inputs']) == 2:  # multigrid has no smaller ones
                seen.append([group['lr'] for group in runner.optim_wrapper.param_groups])

    for multigrid in (dict(stages=[dict(epochs=6)], precise_bn=0), None):
        run = cfg.copy()
        run.work_dir = str(tmp_path / str(bool(multigrid)))
        run.pop('multigrid') if multigrid is None else run.update(multigrid=multigrid)
        runner = Runner.from_cfg(new_name(apply_multigrid(run)))
        runner.register_hook(GroupsHook())
        runner.train()
    ours, theirs = seen[:len(seen) // 2], seen[len(seen) // 2:]
    assert len(ours) == 36
    if drop_last or clips % 2 == 0:
        assert ours == [pytest.approx(lrs, rel=1e-9) for lrs in theirs]
    else:  # six of base training's seven iterations in an epoch: the same at the start of each
        assert ours[::6] == [pytest.approx(lrs, rel=1e-9) for lrs in theirs[::6]]


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """An undisturbed run: its folder, its runner, what its iterations saw."""
    torch.set_num_threads(1)  # before the fixture that does it for every test
    folder = tmp_path_factory.mktemp('trained')
    cfg = base_config(folder)
    SplitsHook.seen.clear()
    cfg.custom_hooks.append(dict(type='SplitsHook'))
    return folder, *train(cfg)


def scalars_of(folder):
    return [json.loads(line) for path in folder.rglob('scalars.json') for line in path.read_text().splitlines()]


def test_validations_and_checkpoints_are_the_stages(trained, cfg):
    folder, runner, _ = trained
    expected = sorted(runner.train_loop.eval_epochs)
    assert {stage.end for stage in multigrid_schedule(cfg)[0].stages} <= set(expected)
    assert [entry['step'] for entry in scalars_of(folder) if 'acc/top1' in entry] == expected
    assert sorted(int(path.stem.split('_')[1]) for path in folder.glob('epoch_*.pth')) == expected


def test_log_and_visualizer_tell_what_changed(cfg, tmp_path):
    cfg.multigrid.bn_base_size = 8
    train(cfg)
    log = ''.join(path.read_text() for path in tmp_path.rglob('*.log'))
    assert ('Multigrid stage 1/' in log) and ('2 BN splits of 8 clips' in log)
    assert 'batches per GPU (clips x frames x crop) 32 x 2 x 8, 16 x 2 x 11, 16 x 2 x 11' in log
    assert 'no other process to share with: plain BN' in log  # the last stage has 2 clips
    scalars = scalars_of(tmp_path)
    first = next(entry for entry in scalars if 'loss' in entry)
    assert (first['multigrid/num_frames'], first['multigrid/crop_size'], first['multigrid/batch_size']) == (2, 8, 32)
    assert {entry['multigrid/batch_size'] for entry in scalars if 'loss' in entry} >= {32, 16, 8, 4, 2}


def test_the_norm_layers_follow_the_stages(trained):
    # Stage batches of 2 x 8, 4, 2 and 1 clips over groups of 2, a base batch; those that get an epoch.
    assert {8: 8, 1: 1}.items() <= SplitsHook.seen.items() <= {8: 8, 4: 4, 2: 2, 1: 1}.items()


def test_precise_bn_before_validation(trained, cfg):
    """Validation sees the statistics of base-shape clips; training sees the same clips in the same order as without."""
    folder, _, records = trained
    cfg.multigrid.precise_bn = 0
    assert train(cfg)[1] == records
    log = ''.join(path.read_text() for path in folder.rglob('*.log'))
    assert 'Precise BN: statistics of 1 layers over 2 batches of 2 x 8 x 16' in log


def test_precise_bn_costs_a_twentieth_of_the_iterations(tmp_path):
    """Since the evaluation before, or the start, a resumed run too; the setting is an upper bound."""
    stages = [dict(epochs=3), dict(epochs=2), dict(epochs=1)]
    cfg = base_config(tmp_path, batch_size=4, num_clips=400, eval_freq=1, stages=stages)
    cfg.multigrid.precise_bn = 200
    interrupted(cfg, 4)
    log = ''.join(path.read_text() for path in sorted(tmp_path.rglob('*.log'), key=os.path.getmtime))
    assert re.findall(r'over (\d+) batches of 4 x 8 x 16', log) == ['15', '10', '50']  # of 300, of 200; 200 clips at last


def test_precise_bn_is_over_whole_batches(cfg):
    """A stage's splits would leave one clip to a group of the base batch, and no variance between clips."""
    seen = set()

    def record(module, args):
        if args[0].shape[2:] == (8, 16, 16) and runner.epoch < 2 and runner.model.training:
            seen.add((module.num_splits, len(args[0])))

    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.model.backbone.bn.register_forward_pre_hook(record)
    runner.train()
    assert seen == {(1, 2)}


def interrupted(cfg, epoch):
    """Break a run off before an epoch, then resume it; what both saw together."""
    RecordHook.records.clear()
    cfg.custom_hooks.append(dict(type='StopHook', epoch=epoch))
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    close_workers(runner)
    cfg.custom_hooks.pop()
    cfg.resume = True
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.train()
    close_workers(runner)
    return list(RecordHook.records)


def last_weights(work_dir):
    """The model in the last checkpoint."""
    path = max(work_dir.glob('epoch_*.pth'), key=lambda path: int(path.stem.split('_')[1]))
    return torch.load(path, weights_only=False)['state_dict']


def assert_equal_weights(first, second):
    first, second = last_weights(first), last_weights(second)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def with_dropout(work_dir, **settings):
    cfg = base_config(work_dir, **settings)
    cfg.model.cls_head.dropout_ratio = 0.5
    return cfg


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    """An undisturbed run with dropout: its folder, what its iterations saw."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp('straight')
    return folder, train(with_dropout(folder))[1]


@pytest.mark.parametrize('epoch', range(1, 9))
def test_resumed_in_any_epoch_equals_the_straight_run(undisturbed, tmp_path, epoch):
    """Records of every iteration, and the weights at the end, bit for bit."""
    assert interrupted(with_dropout(tmp_path), epoch) == undisturbed[1]
    assert_equal_weights(undisturbed[0], tmp_path)


@pytest.mark.parametrize('workers', [1, 2])
def test_the_number_of_workers_changes_nothing(undisturbed, tmp_path, workers):
    assert train(with_dropout(tmp_path, workers=workers))[1] == undisturbed[1]
    assert_equal_weights(undisturbed[0], tmp_path)


def test_resumed_without_a_seed_goes_on_in_the_same_order(tmp_path):
    """mmengine draws a seed then, and a resumed sampler has to take over the first run's."""
    cfg = base_config(tmp_path)
    cfg.randomness = dict(seed=None)
    records = interrupted(cfg, 4)
    seed = torch.load(tmp_path / 'epoch_4.pth', weights_only=False)['meta']['seed']
    again = base_config(tmp_path / 'seeded')
    again.randomness = dict(seed=seed)
    assert train(again)[1] == records


def test_a_resume_between_evaluations_repeats_the_epochs_since(tmp_path):
    """Checkpoints are saved where a stage validates: what came after the last one is trained again, the same."""
    cfg = base_config(tmp_path / 'resumed', eval_freq=1, stages=[dict(epochs=4, num_frames=4), dict(epochs=2)])
    records = interrupted(cfg, 5)
    cfg = base_config(tmp_path / 'straight', eval_freq=1, stages=[dict(epochs=4, num_frames=4), dict(epochs=2)])
    straight = train(cfg)[1]
    fifth = [record for record in straight if record['epoch'] == 4]
    position = next(i for i, record in enumerate(straight) if record['epoch'] == 5)
    assert records == straight[:position] + fifth + straight[position:]


def test_checkpoint_is_an_ordinary_one(trained, cfg):
    """It loads strictly into the stock model, holds plain values only, and scores the same."""
    from mmaction.registry import MODELS
    folder, runner, _ = trained
    checkpoint = torch.load(min(folder.glob('epoch_*.pth')), weights_only=False)
    stock = MODELS.build(cfg.model)
    stock.load_state_dict(checkpoint['state_dict'], strict=True)
    assert 'mmaction_multigrid' not in str(checkpoint['param_schedulers'])
    stock.load_state_dict(runner.model.state_dict(), strict=True)
    clips = torch.randn(2, 3, 8, 16, 16)
    with torch.no_grad():
        expected = runner.model.eval().backbone(clips)
        assert torch.equal(stock.eval().backbone(clips), expected)


def test_without_validation(cfg):
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    runner, _ = train(cfg)
    assert Path(cfg.work_dir, f'epoch_{runner.max_epochs}.pth').exists()


def test_learns_the_toy_problem(trained):
    """Label 1 is brighter. Without an lr half of the clips are right at the end, and the loss stays within a percent."""
    scalars = scalars_of(trained[0])
    losses = [entry['loss'] for entry in scalars if 'loss' in entry]
    assert sum(losses[-20:]) < 0.7 * sum(losses[:20])
    assert [entry['acc/top1'] for entry in scalars if 'acc/top1' in entry][-1] == 1.


@pytest.mark.parametrize(('there', 'setting', 'expected'), [
    (True, {}, True), (False, {}, False), (True, dict(pin_memory=False), False)])
def test_batches_are_pinned_where_there_is_a_gpu(cfg, monkeypatch, there, setting, expected):
    cfg.train_dataloader.update(setting)
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: there)
    assert runner.build_train_loop(runner._train_loop).dataloader.pin_memory is expected
