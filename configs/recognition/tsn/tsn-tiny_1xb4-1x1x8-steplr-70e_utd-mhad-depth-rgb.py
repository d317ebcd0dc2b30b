_base_ = [
    'mmaction::_base_/default_runtime.py',
    '../../_base_/datasets/utd_mhad_depth_frames.py',
    '../../_base_/schedules/sgd_tiny_70e.py'
]

# The first stage of ResNet-18 with a total stride of 8: a crop of 20x20, the
# smallest that multigrid takes, leaves 3x3 positions.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='ResNet',
        depth=18,
        num_stages=1,
        out_indices=(0, ),
        strides=(2, ),
        dilations=(1, ),
        norm_eval=False),
    cls_head=dict(
        type='TSNHead',
        in_channels=64,
        num_classes=27,
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.2,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[16.6, 16.6, 16.6],
        std=[48.4, 48.4, 48.4],
        format_shape='NCHW'))

default_hooks = dict(
    checkpoint=dict(interval=7, max_keep_ckpts=1), logger=dict(interval=20))
randomness = dict(seed=0)
