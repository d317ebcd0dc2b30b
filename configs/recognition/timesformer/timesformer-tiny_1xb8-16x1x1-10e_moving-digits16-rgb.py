# A small TimeSformer with divided attention: 6 x 6 patches of a 48 x 48 crop,
# 3 x 3 of the coarsest.
_base_ = [
    'mmaction::_base_/default_runtime.py',
    '../../_base_/datasets/moving_digits16.py',
    '../../_base_/schedules/adamw_tiny_10e.py'
]

model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='TimeSformer',
        num_frames=16,
        img_size=48,
        patch_size=8,
        embed_dims=48,
        num_heads=4,
        num_transformer_layers=3,
        attention_type='divided_space_time',
        pretrained=None),
    cls_head=dict(
        type='TimeSformerHead',
        num_classes=16,
        in_channels=48,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        format_shape='NCTHW'))

default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1), logger=dict(interval=50))
randomness = dict(seed=0)
