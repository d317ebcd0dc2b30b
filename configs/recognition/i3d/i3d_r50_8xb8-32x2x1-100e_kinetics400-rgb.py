# I3D-R50 from scratch.
_base_ = [
    'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py'  # noqa: E501
]
model = dict(backbone=dict(pretrained2d=False, pretrained=None))
