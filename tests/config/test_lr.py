"""Compare the lr with mmengine's at the same epoch of base training."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mmaction_multigrid import apply_multigrid, multigrid_schedule
from mmaction_multigrid.config.base_lr import CurveLR

from .. import lr_differences as tool
from ..stock import accepted_configs
from ..toy import base_config


@pytest.mark.filterwarnings('ignore:torch.meshgrid:UserWarning')
def test_every_stock_config():
    schedules = {
        repr((c.param_scheduler, c.train_cfg)): (n, c)
        for n, c in accepted_configs().items()
    }
    for name, cfg in schedules.values():
        found = tool.differences(cfg, 5, cfg.optim_wrapper.optimizer.lr)
        assert found, name
        assert max(found) < 1e-6, name


epochs = st.integers(0, 12)
starts = st.floats(0.05, 1.)


def scheduler(kind, **settings):
    return st.fixed_dictionaries(
        dict(
            type=st.just(kind),
            begin=epochs,
            end=epochs,
            convert_to_iter_based=st.booleans(),
            **settings)).filter(lambda config: config['begin'] < config['end'])


stacks = st.lists(
    st.one_of(
        scheduler(
            'MultiStepLR',
            milestones=st.lists(epochs, max_size=4).map(sorted),
            gamma=starts),
        scheduler('StepLR', step_size=st.integers(1, 6), gamma=starts),
        scheduler(
            'CosineAnnealingLR',
            T_max=st.integers(1, 20),
            eta_min=st.floats(0, 0.1)),
        scheduler('CosineAnnealingLR', eta_min_ratio=st.floats(0, 0.5)),
        scheduler(
            'PolyLR', power=st.floats(0.5, 2.), eta_min=st.floats(0, 0.1)),
        scheduler('ExponentialLR', gamma=starts),
        scheduler(
            'LinearLR', start_factor=starts, end_factor=st.floats(0, 1.)),
        scheduler('ConstantLR', factor=starts),
        scheduler(
            'CosineRestartLR',
            periods=st.just([4, 8]),
            eta_min=st.floats(0, 0.1)),
    ),
    min_size=1,
    max_size=3)
warmups = st.one_of(
    st.just([]),
    st.fixed_dictionaries(
        dict(
            type=st.just('LinearLR'),
            start_factor=starts,
            begin=st.just(0),
            end=st.integers(1, 4),
            convert_to_iter_based=st.just(True))).map(lambda config: [config]))


@given(warmups, stacks, st.sampled_from([1, 3, 10]), st.floats(0.01, 2.),
       st.sampled_from([
           dict(),
           dict(cycle_ends=(0.3, 0.7)),
           dict(long_cycle=False),
           dict(epoch_factor=4.),
           dict(stages=[dict(epochs=3, crop_size=8),
                        dict(epochs=9)]),
       ]))
def test_any_stack_of_schedulers(warmup, stack, epoch_length, lr, multigrid):
    cfg = base_config('nowhere', max_epochs=12)
    cfg.multigrid.update(multigrid)
    cfg.optim_wrapper.optimizer.lr = lr
    cfg.param_scheduler = [*warmup, *stack]
    try:
        tool.mmengine_lr(cfg.param_scheduler, 12, epoch_length, lr)
        tool.mmengine_lr(cfg.param_scheduler, 12, 50, lr)
        tool.mmengine_lr(stack, 12, 50, lr)
    except (ZeroDivisionError, ValueError, AssertionError):
        with pytest.raises(ValueError, match='param_scheduler'):
            tool.multigrid_lr(cfg, epoch_length, lr)
        return
    try:
        schedule, _ = multigrid_schedule(cfg)
    except ValueError as error:  # of a curve that goes on below zero
        assert 'must be a number of at least 0' in str(error)
        assert min(tool.mmengine_lr(cfg.param_scheduler, 12, 50, lr)) < 0
        return
    if not isinstance(
            schedule.lr, CurveLR
    ):  # which stand at whole epochs, whatever they are converted to
        assume(schedule.base.milestones and 'cycle_ends' not in multigrid
               and 'stages' not in multigrid)
        assume(not schedule.dropped)
    assert max(tool.differences(cfg, epoch_length, lr), default=0.) < 1e-6


def test_decays_come_beside_cycle_ends():
    cfg = base_config('nowhere', max_epochs=100)
    cfg.param_scheduler = [
        dict(type='MultiStepLR', milestones=[30, 90], gamma=0.1)
    ]
    cfg.multigrid.update(cycle_ends=(0.5, ))
    schedule, _ = multigrid_schedule(cfg)
    assert [stage.lr_step for stage in schedule.stages] == [0, 0, 0, 0, 1]
    # Half of base training is done at the end of the cycle; a decay at 30 of
    # these 50 epochs is amid a stage, one at 90
    # is four fifths into fine-tuning.
    tuning = schedule.stages[-1]
    cycle = [(stage.begin, stage.shape.batch_factor)
             for stage in schedule.stages[:-1]]
    last = tuning.begin + 0.8 * tuning.epochs
    assert schedule.lr(0) == cycle[0][1]
    assert schedule.lr(tuning.begin - 1) == pytest.approx(0.1)
    assert (schedule.lr(last - 0.01),
            schedule.lr(last + 0.01)) == (pytest.approx(0.1),
                                          pytest.approx(0.01))
    decay = next(epoch for epoch, factor in schedule.lr_factors
                 if epoch not in dict(cycle))
    assert schedule.lr(decay) == pytest.approx(0.1 * schedule.lr(decay - 1e-3))
    assert (
        apply_multigrid(cfg).param_scheduler[0].points == schedule.lr_factors)


def test_a_factor_of_a_stage_takes_the_place_of_a_curve():
    cfg = base_config('nowhere', max_epochs=100)
    cfg.param_scheduler = [dict(type='CosineAnnealingLR', T_max=100)]
    cfg.multigrid.update(stages=[
        dict(epochs=20, batch_factor=4, crop_size=8),
        dict(epochs=10, lr_factor=0.25),
        dict(epochs=20),
    ])
    ours = tool.multigrid_lr(cfg, 100)
    assert ours(10) == pytest.approx(4 * (1 + math.cos(math.pi / 5)) / 2)
    assert (ours(20), ours(29.9)) == (0.25, 0.25)
    cfg.multigrid.stages.pop()
    assert tool.multigrid_lr(cfg, 100)(30) == 0.25


def test_a_warm_up_longer_than_training_is_not_cut():
    cfg = base_config('nowhere', max_epochs=100)
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.5, end=400)]
    cfg.multigrid.update(short_cycle=False, long_cycle_factors=((1, 1), ))
    schedule, _ = multigrid_schedule(cfg)
    assert schedule.lr(
        schedule.max_epochs) == pytest.approx(0.5 +
                                              0.5 * schedule.max_epochs / 400)
