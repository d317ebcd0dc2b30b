# The study's SlowFast. Its spatial stride is 8: the coarsest crop, 24 x 24, leaves 3 x 3 positions.
_base_ = [
    'mmaction::_base_/default_runtime.py', '../../_base_/datasets/moving_digits16.py',
    '../../_base_/schedules/sgd_tiny_4e.py'
]

pathway = dict(  # a ResNet-3D of 3 stages of one block each
    type='resnet3d',
    depth=18,
    pretrained=None,
    num_stages=3,
    stage_blocks=(1, 1, 1),
    out_indices=(2, ),
    spatial_strides=(2, 2, 1),  # with that of conv1: 8 in all
    temporal_strides=(1, 1, 1),
    dilations=(1, 1, 1),
    conv1_stride_s=2,
    conv1_stride_t=1,
    pool1_stride_s=1,
    pool1_stride_t=1,
    norm_eval=False)
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3dSlowFast',
        pretrained=None,
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=2,
        slow_pathway=dict(
            base_channels=8,
            conv1_kernel=(1, 5, 5),
            inflate=(0, 1, 1),
            lateral=True,
            lateral_activate=(1, 1, 1),
            **pathway),
        fast_pathway=dict(base_channels=4, conv1_kernel=(3, 5, 5), inflate=(1, 1, 1), lateral=False, **pathway)),
    cls_head=dict(
        type='SlowFastHead',
        in_channels=48,  # 32 of the slow pathway, 16 of the fast one
        num_classes=16,
        spatial_type='avg',
        dropout_ratio=0.,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW'))

default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1), logger=dict(interval=50))
randomness = dict(seed=0)
