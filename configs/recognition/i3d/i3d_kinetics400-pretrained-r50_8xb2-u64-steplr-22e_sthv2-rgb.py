# I3D-R50 on 64 frames.
_base_ = [
    'mmaction::_base_/models/i3d_r50.py',
    'mmaction::_base_/default_runtime.py',
    '../../_base_/datasets/sthv2_video.py',
    '../../_base_/schedules/sgd_sthv2_22e.py'
]
model = dict(
    backbone=dict(pretrained2d=False, pretrained=None),
    cls_head=dict(num_classes=174))
default_hooks = dict(checkpoint=dict(interval=2, max_keep_ckpts=3))
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb_20220812-e213c223.pth'  # noqa: E501
