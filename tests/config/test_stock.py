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


def test_flow_of_a_2d_network_is_refused(inherit):
    cfg = inherit('tsn/tsn_imagenet-pretrained-r50_8xb32_5x1x3-110e', 'flow')
    with pytest.raises(
            ValueError,
            match=r"train_dataloader\.dataset\.modality = 'Flow', with "
            r"FormatShape\.input_format = 'NCHW': the frames of a clip are "
            'channels'):
        apply_multigrid(cfg)
    apply_multigrid(inherit('slowonly/slowonly_r50_8xb16-16x4x1-256e', 'flow'))


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
