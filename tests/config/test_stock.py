"""Configs that inherit MMAction2's, and what is said of them."""

import pytest
from mmaction_multigrid import apply_multigrid, multigrid_schedule
from mmaction_multigrid.config.base import position_warnings, read_clip
from mmengine.config import Config

from ..stock import accepted_configs

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


@pytest.fixture
def said(monkeypatch):
    """What apply_multigrid warns of."""
    lines = []
    monkeypatch.setattr('mmaction_multigrid.config.apply.print_log',
                        lambda text, **kwargs: lines.append(text))
    return lines


def test_flow_of_a_2d_network_is_refused(inherit):
    cfg = inherit('tsn/tsn_imagenet-pretrained-r50_8xb32_5x1x3-110e', 'flow')
    with pytest.raises(
            ValueError,
            match=r"train_dataloader\.dataset\.modality = 'Flow', with "
            r"FormatShape\.input_format = 'NCHW': the frames of a clip are "
            'channels'):
        apply_multigrid(cfg)
    apply_multigrid(inherit('slowonly/slowonly_r50_8xb16-16x4x1-256e', 'flow'))


@pytest.mark.parametrize(('name', 'keys', 'frames', 'crop'), [
    ('timesformer/timesformer_divST_8xb8-8x32x1-15e',
     ('num_frames', 'img_size'), 8, 224),
    ('uniformerv2/uniformerv2-base-p16-res224_clip_8xb32-u8',
     ('t_size', 'input_resolution'), 8, 224),
    ('mvit/mvit-small-p244_32xb16-16x4x1-200e',
     ('temporal_size', 'spatial_size'), 16, 224),
])
def test_positions_of_other_clips(inherit, said, name, keys, frames, crop):
    apply_multigrid(inherit(name))
    assert said == []
    sizes = f'{keys[0]}={2 * frames}, {keys[1]}={crop // 2}'
    apply_multigrid(
        inherit(name, text=f'model = dict(backbone=dict({sizes}))'))
    assert [text.split(': ')[1] for text in said] == [
        f'model.backbone.{keys[0]} = {2 * frames}, and the base clips have '
        f'{frames} frames', f'model.backbone.{keys[1]} = {crop // 2}, and the '
        f'base clips have {crop} pixels'
    ]
    assert f'Set model = dict(backbone=dict({keys[1]}={crop}))' in said[1]


def test_one_stock_config_is_warned_of():
    """It inherits the size of a network for larger crops."""
    warned = [
        name for name, cfg in accepted_configs().items()
        if position_warnings(cfg.model.backbone,
                             *read_clip(cfg.train_dataloader)[:2])
    ]
    assert warned == ['recognition/mvit/mvit-large-p244_u40_sthv2-rgb.py']


def test_no_function_of_a_loader_is_given_a_scope(inherit):
    """mmengine calls these with all that their dicts hold."""
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
