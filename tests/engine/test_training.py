"""Train toy models with the stock Runner: shapes, lr, checkpoints, resume."""

import itertools
import json
import os
import re
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmaction_multigrid import apply_multigrid, multigrid_schedule
from mmengine.runner import Runner

from ..toy import RecordHook, SplitsHook, base_config, close_workers, new_name


def train(cfg, resolve=True):
    """Train a config, and return the runner and the iterations' records."""
    RecordHook.records.clear()
    resolved = apply_multigrid(cfg) if resolve else cfg
    runner = Runner.from_cfg(new_name(resolved))
    runner.train()
    close_workers(runner)
    return runner, list(RecordHook.records)


def interrupted(cfg, epoch):
    """Stop a run before an epoch and resume it; return all records."""
    cfg.custom_hooks.append(dict(type='StopHook', epoch=epoch))
    RecordHook.records.clear()
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    close_workers(runner)
    before = list(RecordHook.records)
    cfg.custom_hooks.pop()
    cfg.resume = True
    return before + train(cfg)[1]


def last_weights(work_dir):
    """Return the weights in the last checkpoint."""
    path = max(
        work_dir.glob('epoch_*.pth'),
        key=lambda path: int(path.stem.split('_')[1]))
    return torch.load(path, weights_only=False)['state_dict']


def assert_equal_weights(first, second):
    """Compare the last checkpoints of two runs bit by bit."""
    torch.testing.assert_close(
        last_weights(first), last_weights(second), rtol=0, atol=0)


def log_of(work_dir):
    """Return the text of all logs of a run, resumed ones included."""
    paths = sorted(work_dir.rglob('*.log'), key=os.path.getmtime)
    return ''.join(path.read_text() for path in paths)


def scalars_of(folder):
    lines = (
        path.read_text().splitlines() for path in folder.rglob('scalars.json'))
    return [json.loads(line) for line in itertools.chain(*lines)]


def with_dropout(work_dir, **settings):
    cfg = base_config(work_dir, **settings)
    cfg.model.cls_head.dropout_ratio = 0.5
    return cfg


@lru_cache(maxsize=None)
def straight_run(folder):
    cfg = with_dropout(folder)
    SplitsHook.seen.clear()
    cfg.custom_hooks.append(dict(type='SplitsHook'))
    runner, records = train(cfg)
    return SimpleNamespace(
        folder=folder,
        runner=runner,
        records=records,
        splits=dict(SplitsHook.seen))


@pytest.fixture
def undisturbed(tmp_path_factory):
    """Train with dropout, once for all modules."""
    return straight_run(tmp_path_factory.getbasetemp() / 'straight')


@pytest.fixture
def cfg(tmp_path):
    return with_dropout(tmp_path)


TWO_STAGES = [dict(epochs=2, crop_size=8), dict(epochs=1)]


@pytest.mark.parametrize('settings', [
    None,
    dict(short_cycle_reference='stage', epoch_factor=1., bn_base_size=2),
    dict(stages=TWO_STAGES),
    dict(finish='full')
])
def test_every_iteration_has_its_shape_and_lr(undisturbed, cfg, settings):
    cfg.multigrid.update(settings or {})
    schedule, _ = multigrid_schedule(cfg)
    runner, records = undisturbed.runner, undisturbed.records
    if settings:
        runner, records = train(cfg)
    expected = []
    for stage in schedule.stages:
        for epoch in range(stage.begin, stage.end):
            shapes = [stage.shapes[i % len(stage.shapes)] for i in range(64)]
            # Of 64 clips in batches of 2 base clips.
            ends = itertools.accumulate(2 * s.batch_factor for s in shapes)
            length = sum(end <= 64 for end in ends)
            for i, shape in enumerate(shapes[:length]):
                lr = 0.01 * schedule.lr(epoch + i / length)
                expected.append((epoch, 2 * shape.batch_factor, *shape[1:],
                                 pytest.approx(lr, rel=1e-12)))
    keys = ('epoch', 'batch', 'frames', 'crop', 'lr')
    assert [tuple(r[key] for key in keys) for r in records] == expected
    assert len(records) == runner.max_iters == runner.iter


@pytest.mark.parametrize('drop_last', [False, True])
def test_one_full_stage_has_the_lr_of_base_training(cfg, tmp_path, drop_last):
    """Every parameter group has it, though ``eta_min`` is the same in all."""
    cfg.train_dataloader.dataset.num_clips = 13
    cfg.train_dataloader.drop_last = drop_last
    cfg.optim_wrapper.paramwise_cfg = dict(
        custom_keys={'backbone': dict(lr_mult=0.1)})
    cfg.param_scheduler = [
        dict(
            type='CosineAnnealingLR',
            T_max=8,
            eta_min=1e-3,
            convert_to_iter_based=True),
        dict(type='MultiStepLR', milestones=[4], gamma=0.5),
        dict(
            type='PolyLR', power=2, begin=1, end=5, convert_to_iter_based=True)
    ]
    ours, theirs = cfg, cfg.copy()
    ours.multigrid.update(stages=[dict(epochs=6)], precise_bn=0)
    theirs.pop('multigrid')
    theirs.work_dir = str(tmp_path / 'theirs')
    # Multigrid drops smaller batches.
    ours, theirs = ([
        record['lrs'] for record in train(run)[1] if record['batch'] == 2
    ] for run in (ours, theirs))
    # Without drop_last base training has seven iterations in an epoch, and
    # they are the same at its start.
    every = 1 if drop_last else 6
    assert ours[::every] == [
        pytest.approx(lrs, rel=1e-9) for lrs in theirs[::every]
    ]


def test_validations_and_checkpoints_follow_the_stages(undisturbed, cfg):
    folder = undisturbed.folder
    expected = sorted(undisturbed.runner.train_loop.eval_epochs)
    ends = {stage.end for stage in multigrid_schedule(cfg)[0].stages}
    assert ends <= set(expected)
    scores = [entry for entry in scalars_of(folder) if 'acc/top1' in entry]
    assert [entry['step'] for entry in scores] == expected
    saved = [int(p.stem.split('_')[1]) for p in folder.glob('epoch_*.pth')]
    assert sorted(saved) == expected
    assert scores[-1]['acc/top1'] == 1.  # label 1 is brighter


def test_log_visualizer_and_norm_layers_follow_the_stages(undisturbed):
    log = log_of(undisturbed.folder)
    assert 'INFO - mmaction_multigrid: mmengine loads checkpoints by' in log
    assert ('batches per GPU (clips x frames x crop) 32 x 2 '
            'x 8, 16 x 2 x 11, 16 x 2 x 11' in log)
    assert 'BN splits: 8 of 2 clips' in log
    assert ('Precise BN: statistics of 1 layers over 2 batches of 2 x 8 x 16'
            in log)
    first, *others = (
        entry for entry in scalars_of(undisturbed.folder) if 'loss' in entry)
    assert ([
        first[f'multigrid/{key}']
        for key in ('num_frames', 'crop_size', 'batch_size')
    ] == [2, 8, 32])
    sizes = {entry['multigrid/batch_size'] for entry in others}
    assert sizes >= {32, 16, 8, 4, 2}
    # Groups of 2 clips, a base batch; of the stages that get an epoch.
    assert undisturbed.splits == {8: 8, 4: 4, 2: 2, 1: 1}


def test_precise_bn_takes_a_twentieth_of_the_iterations(tmp_path):
    """Count them from the last evaluation, in a resumed run too."""
    small = dict(batch_factor=1, num_frames=2, crop_size=8)
    stages = [dict(small, epochs=3), dict(small, epochs=2), dict(epochs=1)]
    cfg = base_config(
        tmp_path, batch_size=4, num_clips=400, eval_freq=1, stages=stages)
    cfg.multigrid.precise_bn = 200
    interrupted(cfg, 4)
    # Of 300 iterations and of 200; over 200 clips at last.
    assert re.findall(r'over (\d+) batches of 4 x 8 x 16',
                      log_of(tmp_path)) == ['15', '10', '50']


def test_precise_bn_has_whole_batches(cfg):
    """A group of one clip would have no variance."""
    cfg.multigrid.stages = [
        dict(epochs=1, batch_factor=8, num_frames=2),
        dict(epochs=1)
    ]
    seen = set()

    def record(module, args):
        if args[0].shape[2] == 8 and runner.epoch < 1 and module.training:
            seen.add((module.num_splits, len(args[0])))

    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.model.backbone.bn.register_forward_pre_hook(record)
    runner.train()
    assert seen == {(1, 2)}


@pytest.mark.parametrize('epoch', [1, 7])
def test_resumed_in_any_epoch_equals_the_straight_run(undisturbed, tmp_path,
                                                      epoch):
    """Batches, weights and log are the same; epoch 1 is inside a stage."""
    assert interrupted(with_dropout(tmp_path), epoch) == undisturbed.records
    assert_equal_weights(undisturbed.folder, tmp_path)
    for folder in (undisturbed.folder, tmp_path):
        assert re.findall(
            r'Multigrid stage (\d)/7 is trained: waiting '
            r'for data \d+ % of [\d.e-]+ s', log_of(folder)) == list('1234567')


def test_a_resume_without_a_seed_between_evaluations(tmp_path):
    """Take over the seed that mmengine draws, and repeat an epoch."""
    stages = [dict(epochs=2, num_frames=4), dict(epochs=2)]
    resumed, straight = (
        base_config(tmp_path / name, eval_freq=1, stages=stages)
        for name in ('resumed', 'straight'))
    resumed.randomness = dict(seed=None)
    records = interrupted(resumed, 3)
    checkpoint = torch.load(
        tmp_path / 'resumed' / 'epoch_2.pth', weights_only=False)
    straight.randomness.seed = checkpoint['meta']['seed']
    expected = train(straight)[1]
    third = [record for record in expected if record['epoch'] == 2]
    position = len([record for record in expected if record['epoch'] < 3])
    assert records == expected[:position] + third + expected[position:]


def test_without_validation_and_precise_bn(undisturbed, cfg):
    """Training has the same batches."""
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.multigrid.precise_bn = 0
    runner, records = train(cfg)
    assert records == undisturbed.records
    assert Path(cfg.work_dir, f'epoch_{runner.max_epochs}.pth').exists()


@pytest.mark.parametrize(('there', 'setting', 'expected'),
                         [(True, {}, True), (False, {}, False),
                          (True, dict(pin_memory=False), False)])
def test_batches_are_pinned_where_there_is_a_gpu(cfg, monkeypatch, there,
                                                 setting, expected):
    cfg.train_dataloader.update(setting)
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: there)
    loop = runner.build_train_loop(runner._train_loop)
    assert loop.dataloader.pin_memory is expected
