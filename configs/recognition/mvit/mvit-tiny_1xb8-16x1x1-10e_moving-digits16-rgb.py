# A small MViT: 8 x 12 x 12 tokens of a clip of 16 frames of 48 x 48 pixels, 8
# x 6 x 6 and 8 x 3 x 3 in its later blocks.
_base_ = [
    'mmaction::_base_/default_runtime.py',
    '../../_base_/datasets/moving_digits16.py',
    '../../_base_/schedules/adamw_tiny_10e.py'
]

model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='MViT',
        arch=dict(
            embed_dims=16, num_layers=4, num_heads=1, downscale_indices=[1,
                                                                         3]),
        spatial_size=48,
        temporal_size=16,
        out_scales=[2],
        drop_path_rate=0.),
    cls_head=dict(
        type='MViTHead',
        in_channels=64,
        num_classes=16,
        dropout_ratio=0.,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        format_shape='NCTHW'))

default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1), logger=dict(interval=50))
randomness = dict(seed=0)
