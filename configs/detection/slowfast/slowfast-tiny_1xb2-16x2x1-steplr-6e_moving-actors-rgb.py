_base_ = [
    'mmaction::_base_/default_runtime.py',
    '../../_base_/models/slowfast_tiny_detector.py',
    '../../_base_/datasets/moving_actors.py',
    '../../_base_/schedules/sgd_tiny_6e.py'
]

default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1), logger=dict(interval=50))
randomness = dict(seed=0)
