# The study's I3D. Its spatial stride is 8: the coarsest crop, 24 x 24, leaves
# 3 x 3 positions.
_base_ = [
    'mmaction::_base_/default_runtime.py', '../../_base_/models/i3d_tiny.py',
    '../../_base_/datasets/moving_digits16.py',
    '../../_base_/schedules/sgd_tiny_4e.py'
]

default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1), logger=dict(interval=50))
randomness = dict(seed=0)
