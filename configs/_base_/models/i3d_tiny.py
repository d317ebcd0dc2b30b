# I3D of three stages with one block each. Its spatial stride is 8: of crops of 24 x 24 it leaves 3 x 3 positions.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3d',
        depth=18,
        pretrained=None,
        num_stages=3,
        stage_blocks=(1, 1, 1),
        out_indices=(2, ),
        base_channels=8,
        conv1_kernel=(3, 5, 5),
        conv1_stride_s=2,
        conv1_stride_t=1,
        pool1_stride_s=1,
        pool1_stride_t=1,
        spatial_strides=(2, 2, 1),  # with that of conv1: 8 in all
        temporal_strides=(1, 1, 1),
        dilations=(1, 1, 1),
        inflate=(1, 1, 1),
        norm_eval=False),
    cls_head=dict(
        type='I3DHead', in_channels=32, num_classes=16, spatial_type='avg', dropout_ratio=0., average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW'))
