"""Report the schedule and warnings before training."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.batch_norm import convert_sub_batch_norm
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.core.stages import stages_from_config
from mmaction_multigrid.models.input_sizes import (min_feature_size,
                                                   temporal_kernel)
from mmaction_multigrid.profiling.start_report import (StartReportHook,
                                                       report_lines,
                                                       report_warnings,
                                                       unknown_norms)
from mmaction_multigrid.profiling.warnings import clip_warnings, data_warnings
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from torch import nn

from ..core.test_norm_conversion import UsersNorm
from ..toy import base_config, new_name


def report(tmp_path, about=None, change=lambda cfg: None, **settings):
    """Return lines and warnings of a toy run that is not started."""
    cfg = base_config(
        tmp_path, num_clips=settings.pop('num_clips', 80), **settings)
    change(cfg)
    resolved = new_name(apply_multigrid(cfg))
    hook, = (
        hook for hook in resolved.custom_hooks
        if hook['type'] == 'StartReportHook')
    runner = Runner.from_cfg(resolved)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    about = hook['base'] if about is None else about
    return report_lines(runner, about), report_warnings(runner, about)


STAGES = [
    dict(epochs=2, batch_factor=4, num_frames=4, crop_size=11),
    dict(epochs=1)
]


def test_by_hand(tmp_path):
    """80 clips in batches of 2: base training 6 epochs of 40; ours 2 of 10 and
    one of 40, each iteration alike."""
    lines, warnings = report(tmp_path, stages=STAGES, eval_freq=1)
    assert lines == [
        '3 epochs in 2 stages, 60 iterations; base training: 6 '
        'epochs, 240 iterations. 25 % of the iterations are '
        'left, at 25 % of the computing',
        "max_batch_factor = None, lr_scaling = 'linear'", '2 evaluations'
    ]
    assert len(warnings) == 1
    assert warnings[0].startswith('the schedule has 60 iterations, base '
                                  'training 240: with fewer than 240 ')
    assert "multigrid.max_batch_factor = 'auto'" in warnings[0]


def test_without_base_training(tmp_path):
    lines, warnings = report(tmp_path, about={}, stages=STAGES)
    assert lines == ['3 epochs in 2 stages, 60 iterations', '3 evaluations']
    assert warnings == []  # nobody knows what base training makes


CONVOLUTION = nn.Conv3d(3, 2, (5, 3, 3), stride=(1, 4, 4), padding=(2, 1, 1))


@pytest.mark.parametrize(('model', 'size', 'kernel'),
                         [(CONVOLUTION, 3, 5), (nn.Linear(3, 2), None, 1),
                          (nn.Flatten(), None, 1)])
def test_looking_at_a_network(model, size, kernel):
    assert min_feature_size(model, 4, 9) == size
    assert temporal_kernel(model) == kernel


def test_clips_too_small_for_the_network(tmp_path):
    """Use a stride of 8, and a kernel of three frames."""

    def strided(cfg):
        cfg.model.backbone.stride = 8

    stages = [
        dict(epochs=2, batch_factor=4, num_frames=2, crop_size=11),
        dict(epochs=1)
    ]
    _, warnings = report(tmp_path, about={}, change=strided, stages=stages)
    crop, frames = warnings
    assert crop.startswith('a crop of 11 pixels leaves the head 2 x 2 posi')
    assert frames.startswith('clips of 2 frames are shorter than a conv')


def test_the_report_names_other_layers():
    from mmaction.models.common import SubBatchNorm3D

    model = nn.Sequential(
        nn.BatchNorm3d(5), nn.BatchNorm2d(5), nn.BatchNorm3d(5), UsersNorm(5),
        SubBatchNorm3D(5))
    assert convert_sub_batch_norm(model) == [model[0], model[1], model[2]]
    assert unknown_norms(model) == {'UsersNorm', 'SubBatchNorm3D'}
    assert type(model[4].split_bn) is nn.BatchNorm3d
    model[3].eval()  # a frozen layer
    assert unknown_norms(model) == {'SubBatchNorm3D'}


@pytest.mark.parametrize(('losses', 'epoch', 'warns'), [
    ([2.] * 20 + [0.5] * 9 + [1.41] * 20, 2, True),
    ([2.] * 20 + [0.5] * 9 + [1.39] * 20, 2, False),
    ([2.] * 40, 1, False),
    ([2.] * 40, 3, False),
])
def test_a_loss_that_coarse_stages_hardly_lower(losses, epoch, warns):
    """Stages of one epoch: coarse, full, coarse, full."""
    coarse, full = Shape(16, 2, 8), Shape(1, 8, 16)
    entries = [
        dict(epochs=1, shapes=[shape])
        for shape in (coarse, full, coarse, full)
    ]
    sampler = SimpleNamespace(stages=stages_from_config(entries))
    hub, logger = MessageHub('losses'), Mock()
    for loss in losses:
        hub.update_scalar('train/loss', loss)
    StartReportHook().after_train_epoch(
        SimpleNamespace(
            train_loop=SimpleNamespace(batch_sampler=sampler),
            message_hub=hub,
            logger=logger,
            epoch=epoch - 1))
    assert [
        'the loss fell only from 2.00 to 1.41 by' in call.args[0]
        for call in logger.warning.call_args_list
    ] == [True] * warns


SHAPES = [Shape(16, 2, 8), Shape(1, 8, 16)]
AUTO = "; set multigrid.max_batch_factor = 'auto' or a larger epoch_factor"


@pytest.mark.parametrize(('clips', 'warns'), [(320, False), (319, True)])
def test_a_batch_of_more_than_a_tenth(clips, warns):
    """The largest batch has 16 x 2 clips."""
    assert data_warnings(SHAPES, 2, clips, 5000, 5000) == [
        'the largest batch of all processes, 32 clips, is more than a '
        'tenth of the dataset (319 clips); lower multigrid.max_batch_factor'
    ] * warns


@pytest.mark.parametrize(('shapes', 'iterations', 'base', 'enough', 'cure'), [
    (SHAPES, 1800, 9000, None, ''),
    (SHAPES, 1799, 9000, 1800, AUTO),
    (SHAPES, 500, 500, None, ''),
    (SHAPES, 499, 500, 500, AUTO),
    ([Shape(2, 4, 16)], 5, 9, None, ''),
])
def test_too_few_iterations(shapes, iterations, base, enough, cure):
    """``'auto'`` makes no batches smaller than twice the base batch."""
    found = data_warnings(shapes, 2, 10**6, iterations, base)
    assert found == [] if enough is None else [
        f'the schedule has {iterations} iterations, base training {base}: '
        f'with fewer than {enough} accuracy is often lost{cure}'
    ]


@pytest.mark.parametrize(('frames', 'positions', 'keys'), [
    (3, None, []),
    (3, 3, []),
    (3, 2, ['multigrid.short_cycle_factors']),
    (2, 3, ['multigrid.long_cycle_factors']),
])
def test_clips_at_the_limits_of_a_network(frames, positions, keys):
    """Each warning names the key that helps."""
    found = clip_warnings(frames, 8, positions, 3)
    assert [text.split()[-1] for text in found] == keys
