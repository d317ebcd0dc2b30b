_base_ = [
    'mmaction::_base_/default_runtime.py', '../../_base_/models/i3d_tiny.py',
    '../../_base_/datasets/noisy_digits30.py',
    '../../_base_/schedules/sgd_tiny_32e.py'
]
model = dict(cls_head=dict(num_classes=30))

default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1), logger=dict(interval=50))
randomness = dict(seed=0)
