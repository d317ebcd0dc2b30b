"""Build small networks with positions, for 8 frames of 64 pixels."""

import torch
from mmengine.registry import init_default_scope
from torch import nn

from mmaction.registry import MODELS

BASE = (8, 64)  # frames, crop
_TIMESFORMER = dict(
    type='TimeSformer',
    num_frames=8,
    img_size=64,
    patch_size=16,
    embed_dims=16,
    num_heads=2,
    num_transformer_layers=2)
_UNIFORMER = dict(
    type='UniFormerV2',
    input_resolution=64,
    patch_size=16,
    width=16,
    layers=2,
    heads=2,
    t_size=8,
    return_list=[0, 1],
    n_layers=2,
    n_dim=16,
    n_head=2,
    mlp_dropout=[0., 0.],
    clip_pretrained=False)
_VIT = dict(
    type='VisionTransformer',
    img_size=64,
    patch_size=16,
    embed_dims=16,
    depth=2,
    num_heads=2,
    num_frames=8)
# What frames and crop are called in each class.
_SHAPES = dict(
    TimeSformer=('num_frames', 'img_size'),
    UniFormerV2=('t_size', 'input_resolution'),
    VisionTransformer=('num_frames', 'img_size'),
    MViT=('temporal_size', 'spatial_size'))
NETWORKS = {
    **{
        f'timesformer-{kind}': dict(_TIMESFORMER, attention_type=kind)
        for kind in ('divided_space_time', 'space_only', 'joint_space_time')
    },
    'uniformerv2':
    _UNIFORMER,
    'uniformerv2-local':
    dict(_UNIFORMER, no_lmhra=False, double_lmhra=True),
    'uniformerv2-downsample':
    dict(_UNIFORMER, temporal_downsample=True),
    'vit':
    _VIT,
    'vit-learnt':
    dict(_VIT, use_learnable_pos_emb=True),
    'mvit':
    dict(
        type='MViT',
        arch=dict(
            embed_dims=8, num_layers=3, num_heads=1, downscale_indices=[1]),
        spatial_size=64,
        temporal_size=8,
        use_abs_pos_embed=True,
        out_scales=[0, 1]),
    'swin':
    dict(
        type='SwinTransformer3D',
        arch=dict(embed_dims=8, depths=[2, 2], num_heads=[1, 2]),
        patch_size=(2, 4, 4),
        window_size=(4, 7, 7),
        out_indices=(1, )),
}


def build(name, frames=BASE[0], crop=BASE[1]):
    """Build a network with random parameters, none of which are zero."""
    init_default_scope('mmaction')
    config = dict(NETWORKS[name])
    if config['type'] in _SHAPES:
        config.update(zip(_SHAPES[config['type']], (frames, crop)))
    torch.manual_seed(0)
    network = MODELS.build(config)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    network.eval()  # which stock VideoSwin returns nothing from
    return network


def noise(frames, crop, clips=2):
    """Return a batch of clips, the same at every call."""
    return torch.randn(
        clips,
        3,
        frames,
        crop,
        crop,
        generator=torch.Generator().manual_seed(frames * crop))
