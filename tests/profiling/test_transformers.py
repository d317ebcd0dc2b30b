"""Stock configs of transformers, shrunk to few blocks and channels, at every shape of their schedules."""

import copy

import pytest
from mmengine.registry import init_default_scope

from mmaction_multigrid import multigrid_schedule
from mmaction_multigrid.profiling import probe_shapes, schedule_shapes, without_weights

from ..stock import accepted_configs

pytestmark = [pytest.mark.filterwarnings(f'ignore:{text}') for text in ('torch.meshgrid', 'torch.utils.checkpoint')]
TIMESFORMER = dict(embed_dims=16, num_heads=2, num_transformer_layers=2)
UNIFORMER = dict(width=16, layers=2, heads=2, return_list=[0, 1], n_layers=2, n_dim=16, n_head=2, mlp_dropout=[0.5, 0.5])
MVIT = dict(arch=dict(embed_dims=8, num_layers=4, num_heads=1, downscale_indices=[1, 2, 3]))
SWIN = dict(arch=dict(embed_dims=8, depths=[2, 2, 2, 2], num_heads=[1, 2, 4, 8]))
# Family: what is changed of its backbone, features of its head, crops of its schedule.
FAMILIES = {
    'timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb': (TIMESFORMER, 16, {112, 160, 224}),
    'timesformer/timesformer_jointST_8xb8-8x32x1-15e_kinetics400-rgb': (TIMESFORMER, 16, {112, 160, 224}),
    'timesformer/timesformer_spaceOnly_8xb8-8x32x1-15e_kinetics400-rgb': (TIMESFORMER, 16, {112, 160, 224}),
    'uniformerv2/uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb': (UNIFORMER, 16, {112, 160, 224}),
    'mvit/mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb': (MVIT, 64, {112, 158, 224}),
    'swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb': (SWIN, 64, {112, 158, 224}),
}


@pytest.mark.parametrize('name', FAMILIES)
def test_every_shape_of_the_schedule_trains(name):
    """Forward, backward and an update at each; fewer frames too."""
    init_default_scope('mmaction')
    change, features, crops = FAMILIES[name]
    cfg = copy.deepcopy(accepted_configs()[f'recognition/{name}.py'])
    cfg.model.backbone.update(change)
    cfg.model.cls_head.in_channels = features
    schedule, _ = multigrid_schedule(cfg)
    assert schedule.settings.lr_scaling == ('linear' if 'timesformer' in name else 'sqrt')  # SGD, and AdamW
    shapes = schedule_shapes(schedule)
    assert {shape.crop_size for shape in shapes} == crops
    assert {4 * shape.num_frames for shape in shapes} >= {shapes[-1].num_frames, 4 * shapes[-1].num_frames}
    probes = list(probe_shapes(
        without_weights(cfg.model.to_dict()),
        [shape._replace(batch_factor=1) for shape in shapes], 1, repeats=1,
        optim_wrapper=cfg.optim_wrapper.to_dict()))
    assert [probe.error for probe in probes] == [None] * len(shapes)
    assert all(probe.works for probe in probes)
