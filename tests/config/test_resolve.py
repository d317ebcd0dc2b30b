"""Resolve configs, or raise one clear error."""

import copy
from unittest import mock

import pytest
from mmaction_multigrid import MultigridRunner, apply_multigrid
from mmengine.runner import Runner

from mmaction.evaluation import AccMetric
from ..toy import base_config


@pytest.fixture
def cfg(tmp_path):
    return base_config(tmp_path)


def test_everything_is_explicit(cfg):
    resolved = apply_multigrid(cfg)
    assert not {'multigrid', 'runner_type'} & set(resolved)
    assert resolved.train_cfg == dict(
        type='MultigridTrainLoop', max_epochs=9, eval_freq=3)
    loader = resolved.train_dataloader
    assert (loader.batch_size, loader.batch_sampler.type, loader.dataset.type,
            loader.dataset.base_shape) == (2, 'MultigridBatchSampler',
                                           'MultigridDataset', (8, 16))
    # 8 x 16 x 16 pixels over 2 x 11 x 11 are 8.46; a crop of 8 in it takes 2
    # (1.9) times as many. Of 3 epochs
    # (32/3) / 23 are at this shape; fine-tuning takes 7/3 * 4/23, and 5 +
    # that is stretched to 9: 2.3 epochs.
    assert loader.batch_sampler.stages[0] == dict(
        epochs=2, shapes=[(16, 2, 8), (8, 2, 11), (8, 2, 11)])
    pipeline = loader.dataset.dataset.dataset.pipeline
    assert [step.type for step in pipeline] == [
        'MultigridTransform', 'ToyDecode', 'MultigridTransform',
        'MultigridTransform', 'FormatShape', 'PackActionInputs'
    ]
    assert [hook.type for hook in resolved.custom_hooks] == [
        'RecordHook', 'MultigridHook', 'InterpolatePosEmbedHook',
        'ResumeCheckHook', 'StartReportHook', 'PrefetchHook', 'BadVideosHook',
        'PreciseBNHook'
    ]
    assert resolved.default_hooks.checkpoint == dict(
        type='MultigridCheckpointHook')
    scheduler, = resolved.param_scheduler
    assert (scheduler.type, scheduler.warmup_epochs, scheduler.warmup_factor,
            scheduler.points[0]) == ('MultigridLR', 2., 0.1, (0, 8.))
    assert scheduler.points[-1][1] == pytest.approx(0.01)


def test_the_argument_and_a_resolved_config_do_not_change(cfg):
    before = cfg.pretty_text
    resolved = apply_multigrid(cfg)
    assert cfg.pretty_text == before
    assert apply_multigrid(resolved).pretty_text == resolved.pretty_text


@pytest.fixture
def warnings(monkeypatch):
    """Record the warnings of ``apply_multigrid``."""
    lines = []
    monkeypatch.setattr('mmaction_multigrid.config.resolve.print_log',
                        lambda text, **kwargs: lines.append(text))
    return lines


def test_both_cycles_off_is_the_base_config_with_a_warning(cfg, warnings):
    cfg.multigrid = dict(long_cycle=False, short_cycle=False)
    resolved = apply_multigrid(cfg)
    base = {
        key: value
        for key, value in cfg.to_dict().items()
        if key not in ('multigrid', 'runner_type')
    }
    assert resolved.to_dict() == base
    assert 'both long_cycle and short_cycle are off' in warnings[0]


def test_a_warning_names_stages_rounded_to_zero(cfg, warnings):
    assert len(apply_multigrid(cfg).train_dataloader.batch_sampler.stages) == 7
    warning = warnings.pop()
    assert '2 of 9 stages are shorter than half an epoch' in warning
    assert 'train more epochs first (multigrid.epoch_factor)' in warning
    cfg.train_cfg.max_epochs = cfg.param_scheduler[1].end = 60
    cfg.param_scheduler[1].milestones = [30, 50]
    assert len(apply_multigrid(cfg).train_dataloader.batch_sampler.stages) == 9
    assert warnings == []


def test_settings_are_in_their_places(cfg):
    cfg.multigrid.update(bn_base_size=4, eval_freq=1, precise_bn=0)
    resolved = apply_multigrid(cfg)
    assert resolved.custom_hooks[1].bn_base_size == 4
    assert resolved.custom_hooks[-1] == dict(
        type='BadVideosHook')  # no PreciseBNHook
    assert resolved.train_cfg.eval_freq == 1


def test_classes_in_a_config_become_names(cfg):
    """Classes become names, so that the text can be written."""
    cfg.val_evaluator = dict(type=AccMetric)
    resolved = apply_multigrid(cfg)
    assert resolved.val_evaluator.type.endswith('.AccMetric')
    assert '<class' not in resolved.pretty_text
    cfg.train_dataloader.collate_fn = lambda batch: batch  # and has no name
    assert callable(apply_multigrid(cfg).train_dataloader.collate_fn)


def test_nested_datasets_are_wrapped_inside(cfg):
    toy = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(type='ConcatDataset', datasets=[toy, toy]))
    dataset = apply_multigrid(cfg).train_dataloader.dataset
    assert dataset.type == 'MultigridDataset'
    for inner in dataset.dataset.dataset.dataset.datasets:
        assert inner.pipeline[0].type == 'MultigridTransform'


def test_workers_persist_and_the_package_is_imported(cfg):
    cfg.train_dataloader.num_workers = 2
    cfg.train_dataloader.persistent_workers = False
    cfg.train_dataloader.drop_last = False
    cfg.pop('custom_imports')
    resolved = apply_multigrid(cfg)
    assert resolved.train_dataloader.persistent_workers is True
    assert 'drop_last' not in resolved.train_dataloader
    assert resolved.custom_imports.imports == ['mmaction_multigrid']


def test_another_checkpoint_hook_and_none(cfg):
    cfg.default_hooks.checkpoint = dict(type='MyCheckpointHook', interval=5)
    assert apply_multigrid(cfg).default_hooks.checkpoint == dict(
        type='MyCheckpointHook', interval=5)
    cfg.default_hooks.checkpoint = None
    assert apply_multigrid(cfg).default_hooks.checkpoint is None


def change(path, value):
    """Set a nested key of a config, or drop it."""

    def apply(cfg):
        *parents, last = path.split('.')
        for key in parents:
            cfg = cfg[int(key) if key.isdigit() else key]
        if value is None:
            cfg.pop(last)
        else:
            cfg[last] = value

    return apply


@pytest.mark.parametrize(('modify', 'error', 'message'), [
    (change('multigrid', 'default'), TypeError, "multigrid = 'default'"),
    (change('train_cfg', dict(type='IterBasedTrainLoop', max_iters=10)),
     ValueError, "'IterBasedTrainLoop'.*epochs"),
    (change('train_dataloader',
            None), ValueError, r'train_dataloader\.dataset has no pipeline'),
    (change('model.backbone.type', 'C3D'), ValueError,
     r"model\.backbone\.type = 'C3D': its first fully connected layer"),
    (change('train_dataloader.dataset.pipeline.2.type',
            'PixelMagic'), ValueError, "'PixelMagic'"),
    (change('train_dataloader.batch_sampler', dict(type='Other')), ValueError,
     r'train_dataloader\.batch_sampler'),
    (change('train_dataloader.batch_size',
            0), ValueError, r'train_dataloader\.batch_size = 0'),
    (change('param_scheduler.1.type', 'OneCycleLR'), ValueError,
     'multigrid cannot follow it: TypeError'),
    (change('param_scheduler.1.gamma',
            -1), ValueError, 'the lr is -1.0 at epoch 3'),
    (change('param_scheduler.0.by_epoch',
            False), ValueError, 'LinearLR counts iterations'),
    (change('optim_wrapper.optimizer.lr', None), ValueError,
     r'optim_wrapper\.optimizer\.lr = None: must be a number above 0'),
    (change('custom_hooks',
            'Hook'), TypeError, r"custom_hooks = 'Hook': must be a list"),
    (change('param_scheduler', dict(a=[],
                                    b=[])), TypeError, 'a dict with a type'),
])
def test_one_clear_error(cfg, modify, error, message):
    modify(cfg)
    with pytest.raises(error, match=message):
        apply_multigrid(cfg)


def test_pipelines_of_different_clips(cfg):
    toy = cfg.train_dataloader.dataset
    other = copy.deepcopy(toy)
    other.pipeline[0].clip_len = 4
    cfg.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[toy, other])
    with pytest.raises(ValueError, match='different'):
        apply_multigrid(cfg)


def test_the_stock_runner_trains_the_resolved_config(cfg):
    stock = cfg.train_cfg
    with mock.patch.object(Runner, 'from_cfg') as build:
        MultigridRunner.from_cfg(cfg).train()
        MultigridRunner.from_cfg(cfg).test()
    trained, tested = (call.args[0] for call in build.call_args_list)
    assert trained.train_cfg == apply_multigrid(cfg).train_cfg
    assert tested.train_cfg == stock
    assert not {'multigrid', 'runner_type'} & {*trained, *tested}
