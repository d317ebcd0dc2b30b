"""Check schedules and broken configs at random."""

import math
import traceback
from pathlib import Path

import mmaction_multigrid
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mmaction_multigrid import MultigridSchedule, apply_multigrid
from mmaction_multigrid.config.settings import Settings
from mmaction_multigrid.core.loop import list_eval_epochs
from mmaction_multigrid.core.settings import BaseTraining
from mmengine.config import Config

from .toy import base_config

PACKAGE = Path(mmaction_multigrid.__file__).parent
LONG = settings(max_examples=2000, suppress_health_check=list(HealthCheck))

factor = st.floats(0.05, 1.)
multigrids = st.fixed_dictionaries(
    {},
    optional=dict(
        long_cycle=st.booleans(),
        short_cycle=st.booleans(),
        epoch_factor=st.floats(0.2, 4.),
        long_cycle_factors=st.lists(
            st.tuples(factor, factor), min_size=1, max_size=6),
        short_cycle_factors=st.lists(factor, min_size=1, max_size=4),
        short_cycle_reference=st.sampled_from(['default', 'stage']),
        bn_base_size=st.integers(1, 64),
        max_batch_factor=st.none() | st.integers(1, 20),
        lr_scaling=st.sampled_from([None, 'linear', 'sqrt', 'none']),
        crop_multiple=st.none() | st.integers(1, 40),
        eval_freq=st.integers(1, 10)))


@st.composite
def trainings(draw):
    epochs = draw(st.integers(1, 300))
    milestones = sorted(
        draw(st.sets(st.integers(1, epochs), max_size=5)) - {epochs})
    multiple = draw(st.sampled_from([1, 1, 4, 8]))
    return BaseTraining((multiple * draw(st.integers(1, 80 // multiple))),
                        draw(st.integers(8, 320)),
                        epochs,
                        tuple(milestones),
                        draw(st.floats(0.01, 1.)),
                        draw(st.floats(0., epochs)),
                        draw(st.floats(0.001, 1.)),
                        frame_multiple=multiple)


def check_training(base, multigrid):
    """Check the properties of a schedule."""
    chosen = Settings.from_dict(multigrid)
    assume(chosen.active)
    try:
        schedule = MultigridSchedule(base, chosen)
    except ValueError as error:  # too little to train
        assert 'epoch' in str(error)
        return
    ends = [stage.end for stage in schedule.stages]
    assert [stage.begin for stage in schedule.stages] == [0, *ends[:-1]]
    assert all(stage.end > stage.begin for stage in schedule.stages)
    assert (schedule.max_epochs == ends[-1] == sum(
        stage.epochs for stage in schedule.stages))
    for stage in schedule.stages:
        assert stage.shapes[-1] == stage.shape
        for shape in stage.shapes:
            assert shape.batch_factor >= 1
            assert 1 <= shape.num_frames <= base.num_frames
            assert shape.num_frames % base.frame_multiple == 0
            assert (1 <= shape.crop_size <= stage.shape.crop_size <=
                    base.crop_size)
        evaluations = list_eval_epochs(stage, chosen.eval_freq)
        assert evaluations[-1] == stage.end
        assert evaluations == sorted(set(evaluations))
        assert all(stage.begin < epoch <= stage.end for epoch in evaluations)
        for epoch in (stage.begin, (stage.begin + stage.end) / 2,
                      math.nextafter(stage.end, 0)):
            lr = schedule.lr(epoch)
            assert math.isfinite(lr) and lr > 0
    assert schedule.stages[-1].shape[:2] == base.shape[:2]
    assert (schedule.stages[-1].shape == base.shape) or chosen.crop_multiple
    assert (abs(schedule.max_epochs - base.max_epochs * chosen.epoch_factor) <=
            1)
    epochs = [epoch for epoch, _ in schedule.lr_factors]
    assert epochs == sorted({0, *epochs})
    assert epochs[-1] < schedule.max_epochs


cases = given(trainings(), multigrids)
test_every_training_keeps_its_promises = cases(check_training)
test_two_thousand_trainings_keep_their_promises = pytest.mark.long(
    LONG(cases(check_training)))

# Where a config is broken, and what may stand there.
PATHS = [f'multigrid.{field}' for field in Settings.__dataclass_fields__]
PATHS += '''
    multigrid multigrid.unknown train_cfg train_cfg.type train_cfg.max_epochs
    train_cfg.by_epoch train_dataloader train_dataloader.batch_size
    train_dataloader.dataset train_dataloader.dataset.pipeline
    train_dataloader.dataset.pipeline.0
    train_dataloader.dataset.pipeline.0.type
    train_dataloader.dataset.pipeline.0.clip_len
    train_dataloader.dataset.pipeline.0.frame_interval
    train_dataloader.dataset.pipeline.2.scale
    train_dataloader.dataset.pipeline.3.size
    train_dataloader.batch_sampler param_scheduler param_scheduler.0
    param_scheduler.0.type param_scheduler.0.by_epoch
    param_scheduler.0.start_factor param_scheduler.0.begin
    param_scheduler.0.end param_scheduler.1.milestones
    param_scheduler.1.gamma param_scheduler.1.begin param_scheduler.1.end
    optim_wrapper optim_wrapper.optimizer optim_wrapper.optimizer.lr
    custom_hooks default_hooks default_hooks.checkpoint custom_imports model
    model.backbone model.backbone.type model.backbone.resample_rate compile
'''.split()
scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 400),
                    st.floats(), st.text(max_size=4), st.binary(max_size=2),
                    st.just(10**30), st.just(object))
values = st.recursive(
    scalars, (lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=3), inner, max_size=2))),
    max_leaves=5)


def check_broken(path, value):
    """Expect no error, or a TypeError or ValueError of the package."""
    cfg = base_config('nowhere').to_dict()
    if path.endswith('resample_rate'):
        cfg['model']['backbone']['type'] = 'ResNet3dSlowFast'
    target = cfg
    *parents, last = path.split('.')
    for key in parents:
        target = target[int(key) if key.isdigit() else key]
    target[int(last) if last.isdigit() else last] = value
    try:
        apply_multigrid(Config(cfg))
    except (TypeError, ValueError) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        ours = PACKAGE in Path(last.filename).parents and last.line.startswith(
            ('raise', '_fail'))
        assert ours, (f'{path} = {value!r}: {type(error).__name__} from '
                      f'{last.filename}: {last.line}')
        assert str(error)


broken = given(st.sampled_from(PATHS), values)
test_broken_configs_end_in_our_own_errors = broken(check_broken)
test_two_thousand_broken_configs_end_in_our_own_errors = pytest.mark.long(
    LONG(broken(check_broken)))
