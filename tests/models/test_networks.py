"""Train the networks that the stock-path tests do not train."""

import pytest
import torch
from mmaction_multigrid import multigrid_schedule
from mmaction_multigrid.config.base import TESTED, network_types
from mmaction_multigrid.core.batch_norm import convert_sub_batch_norm
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.models.positions import interpolate_pos_embeds
from mmaction_multigrid.profiling.steps import profile_steps
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from ..small import STOCK_CONFIGS
from ..stock_paths.families import FAMILIES

FIXED = [Shape(2, 8, 16), Shape(1, 8, 32)]
ANY = [Shape(8, 2, 16), Shape(1, 8, 32)]


def resnet(head, **backbone):
    return dict(
        backbone=dict(dict(depth=18, pretrained=None), **backbone),
        cls_head=dict(head, in_channels=512))


SMALL_TPN = dict(
    backbone=dict(depth=18),
    neck=dict(
        in_channels=(256, 512),
        out_channels=32,
        spatial_modulation_cfg=dict(in_channels=(256, 512), out_channels=512),
        level_fusion_cfg=dict(in_channels=(32, 32), mid_channels=(32, 32))),
    cls_head=dict(num_classes=174))
# Stock configs, what makes their networks small, shapes and speed-up.
NETWORKS = {
    'recognition/trn/trn_imagenet-pretrained-r50_8xb16-1x1x8-50e_sthv2-rgb':
    (resnet(dict(hidden_dim=16)), FIXED, 1.65),
    'recognition/tanet/tanet_imagenet-pretrained-r50_8xb8-1x1x8-50e_sthv1-rgb':
    (dict(), FIXED, 1.65),
    'recognition/tpn/tpn-tsm_imagenet-pretrained-r50_8xb8-1x1x8-150e_'
    'sthv1-rgb': (SMALL_TPN, FIXED, 1.65),
    'recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_'
    'kinetics400-rgb': (dict(backbone=dict(pretrained=None)), ANY, 3.38),
    'recognition/tsn/tsn_imagenet-pretrained-r50_8xb32_5x1x3-110e_'
    'kinetics400-flow': (resnet({}), [Shape(8, 1, 16),
                                      Shape(1, 3, 32)], 2.88),
    'recognition/c2d/c2d_r50-in1k-pre-nopool_8xb32-8x8x1-100e_'
    'kinetics400-rgb': (resnet({}), ANY, 3.38),
}


@pytest.mark.parametrize('name', NETWORKS)
def test_steps_at_coarse_and_full_shapes(name):
    init_default_scope('mmaction')
    changes, shapes, speedup = NETWORKS[name]
    cfg = Config.fromfile(STOCK_CONFIGS / f'{name}.py')
    cfg.multigrid = dict()
    schedule, interval = multigrid_schedule(cfg)
    assert schedule.predicted_speedup == pytest.approx(speedup, abs=0.005)
    cfg.merge_from_dict(dict(model=changes))
    for profile in profile_steps(
            cfg.model,
            shapes,
            2,
            repeats=1,
            pipeline=cfg.train_dataloader.dataset.pipeline):
        assert profile.error is None and 0 < profile.loss < 20
    crops = {s.crop_size for stage in schedule.stages for s in stage.shapes}
    assert crops == {112, 158, 224}
    # Stages whose shapes are the same do not stand twice.
    steps = [(stage.lr_step, stage.shapes) for stage in schedule.stages]
    assert len(set(steps)) == len(steps)


def test_rgb_and_poses_at_coarse_and_full_shapes():
    init_default_scope('mmaction')
    cfg = Config.fromfile(STOCK_CONFIGS /
                          'skeleton/posec3d/rgbpose_conv3d/rgbpose_conv3d.py')
    cfg.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(
                    rgb_pathway=dict(base_channels=8),
                    pose_pathway=dict(base_channels=4)),
                cls_head=dict(in_channels=[256, 64]))))
    model = MODELS.build(cfg.model).train()
    convert_sub_batch_norm(model)
    interpolate_pos_embeds(model)
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 1)]
    for frames, crop in ((2, 32), (8, 48)):
        data = model.data_preprocessor(
            dict(
                inputs=dict(
                    imgs=[torch.zeros(1, 3, frames, crop, crop)] * 2,
                    heatmap_imgs=[
                        torch.zeros(1, 17, 4 * frames, crop // 4, crop // 4)
                    ] * 2),
                data_samples=samples))
        losses = model(**data, mode='loss')
        assert all(loss.isfinite() for loss in losses.values())
        sum(losses.values()).backward()


def test_every_class_that_counts_as_tested_is_trained():
    bases = {
        *(family.base for family in FAMILIES.values()),
        *(f'{name}.py' for name in NETWORKS),
        'skeleton/posec3d/rgbpose_conv3d/rgbpose_conv3d.py',
        # tests/detection trains these.
        'detection/acrn/slowfast-acrn_kinetics400-pretrained-r50_8xb8-8x8x1-'
        'cosine-10e_ava21-rgb.py',
        'detection/videomae/vit-base-p16_videomae-k400-pre_8xb8-16x4x1-20e-'
        'adamw_ava-kinetics-rgb.py'
    }
    trained = {
        name
        for base in bases for _, name in network_types(
            Config.fromfile(STOCK_CONFIGS / base).model)
    }
    # tests/charades trains its heads.
    heads = {'MultiLabelI3DHead', 'MultiLabelSlowFastHead'}
    assert trained | heads == TESTED
