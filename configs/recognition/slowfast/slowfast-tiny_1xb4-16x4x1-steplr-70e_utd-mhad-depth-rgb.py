_base_ = [
    'mmaction::_base_/default_runtime.py',
    '../../_base_/datasets/utd_mhad_depth.py',
    '../../_base_/schedules/sgd_tiny_70e.py'
]

# SlowFast with one basic block in each of three stages and a total spatial
# stride of 8, so that a crop of 28x28 (half of 56x56, the smallest that
# multigrid takes) still leaves 4x4 positions
num_stages = 3
pathway = dict(
    type='resnet3d',
    depth=18,
    pretrained=None,
    num_stages=num_stages,
    out_indices=(num_stages - 1, ),
    stage_blocks=(1, 1, 1),
    spatial_strides=(1, 2, 1),
    temporal_strides=(1, 1, 1),
    dilations=(1, 1, 1),
    lateral_activate=(1, 1, 1),
    conv1_stride_s=2,
    conv1_stride_t=1,
    pool1_stride_s=2,
    pool1_stride_t=1)

model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3dSlowFast',
        pretrained=None,
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=4,
        slow_pathway=dict(
            **pathway,
            lateral=True,
            lateral_norm=True,
            fusion_kernel=5,
            base_channels=32,
            conv1_kernel=(1, 5, 5),
            inflate=(0, 1, 1)),
        fast_pathway=dict(
            **pathway,
            lateral=False,
            base_channels=8,
            conv1_kernel=(3, 5, 5),
            inflate=(1, 1, 1))),
    cls_head=dict(
        type='SlowFastHead',
        in_channels=160,  # 128 of the slow pathway, 32 of the fast one
        num_classes=27,
        spatial_type='avg',
        dropout_ratio=0.2,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[16.6, 16.6, 16.6],
        std=[48.4, 48.4, 48.4],
        format_shape='NCTHW'))

default_hooks = dict(
    checkpoint=dict(interval=7, max_keep_ckpts=1), logger=dict(interval=20))
randomness = dict(seed=0)
