"""Inherit configs of MMAction2."""

import pytest
from mmaction_multigrid import apply_multigrid, multigrid_schedule
from mmengine.config import Config

KINETICS = 'mmaction::recognition/{}_kinetics400-{}.py'


@pytest.fixture
def inherit(tmp_path):
    """Inherit a stock config, with the lines of multigrid and others."""

    def write(name, kind='rgb', text=''):
        path = tmp_path / 'config.py'
        path.write_text(f"_base_ = ['{KINETICS.format(name, kind)}']\n"
                        f'multigrid = dict()\n{text}')
        return Config.fromfile(path)

    return write


@pytest.mark.parametrize(('name', 'base', 'coarsest'), [
    ('tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e', 8, 2),
    ('tsm/tsm_imagenet-pretrained-r50_8xb16-dense-1x1x8-50e', 8, 2),
    ('tsn/tsn_imagenet-pretrained-r50_8xb32_5x1x3-110e', 3, 1),
])
def test_2d_networks_train_on_fewer_segments(inherit, name, base, coarsest):
    cfg = inherit(name, 'flow' if '5x1x3' in name else 'rgb')
    schedule, interval = multigrid_schedule(cfg)
    assert schedule.base.segments and interval is None
    shapes = [shape for stage in schedule.stages for shape in stage.shapes]
    assert min(shape.num_frames for shape in shapes) == coarsest
    dataset = apply_multigrid(cfg).train_dataloader.dataset
    assert dataset.base_shape == (base, 224)
    steps = dataset.dataset.dataset.pipeline
    assert [
        step.transform.num_clips for step in steps if step.get('segments')
    ] == [base]


def test_flow_of_a_3d_network_has_no_segments(inherit):
    cfg = inherit('slowonly/slowonly_r50_8xb16-16x4x1-256e', 'flow')
    assert not multigrid_schedule(cfg)[0].base.segments


@pytest.mark.parametrize(('changes', 'name'), [
    ("backbone=dict(type='MyNet')", "model.backbone.type = 'MyNet'"),
    ("backbone=dict(type='timm.resnet50')", "'timm.resnet50'"),
    ("type='MyRecognizer'", "model.type = 'MyRecognizer'"),
])
def test_an_unknown_network_is_refused_until_it_is_allowed(
        inherit, changes, name):
    cfg = inherit(
        'tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e',
        text=f'model = dict({changes})')
    with pytest.raises(ValueError, match=name) as found:
        multigrid_schedule(cfg)
    assert 'multigrid.allow_untested = True' in str(found.value)
    cfg.multigrid.allow_untested = True
    schedule, _ = multigrid_schedule(cfg)
    # Nothing is known about its number of segments either.
    fixed = changes.startswith('backbone')
    assert (schedule.base.frame_multiple == 8) == fixed


def test_no_function_of_a_loader_is_given_a_scope(inherit):
    """mmengine calls these with every key of their dicts."""
    init = "dict(type='default_worker_init_fn', _scope_='mmaction')"
    cfg = inherit(
        'mvit/mvit-small-p244_32xb16-16x4x1-200e',
        text=(f'train_dataloader = dict(worker_init_fn={init})\n'
              f'val_dataloader = dict(worker_init_fn={init})'))
    assert '_scope_' in cfg.train_dataloader.collate_fn
    resolved = apply_multigrid(cfg)
    assert resolved.train_dataloader.collate_fn == dict(
        type='repeat_pseudo_collate')
    for loader in (resolved.train_dataloader, resolved.val_dataloader):
        assert '_scope_' not in loader.worker_init_fn
    assert (
        multigrid_schedule(cfg)[0].max_epochs == resolved.train_cfg.max_epochs)
