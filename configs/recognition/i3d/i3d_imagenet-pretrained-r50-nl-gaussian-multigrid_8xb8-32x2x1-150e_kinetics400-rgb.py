_base_ = [
    'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50-nl-gaussian_8xb8-32x2x1-100e_kinetics400-rgb.py',  # noqa: E501
    '../../_base_/multigrid.py'
]
