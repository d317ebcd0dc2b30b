# SlowFast-R50 whose slow pathway starts from ImageNet weights.
_base_ = [
    'mmaction::recognition/slowfast/slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb.py'  # noqa: E501
]
model = dict(
    backbone=dict(
        slow_pathway=dict(
            pretrained='torchvision://resnet50', pretrained2d=True)))
