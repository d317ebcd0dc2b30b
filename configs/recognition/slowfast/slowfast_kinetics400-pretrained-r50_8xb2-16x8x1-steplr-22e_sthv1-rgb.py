_base_ = [
    '../../_base_/models/slowfast_r50_16x8.py',
    '../../_base_/datasets/sthv1_rawframes.py',
    '../../_base_/schedules/sgd_sthv2_22e.py',
    'mmaction::_base_/default_runtime.py'
]
model = dict(cls_head=dict(num_classes=174))
default_hooks = dict(checkpoint=dict(interval=2, max_keep_ckpts=3))
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/slowfast/slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb/slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb_20220818-b62a501f.pth'  # noqa: E501
