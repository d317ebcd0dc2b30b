_base_ = [
    'slowfast-tiny_1xb2-16x2x1-steplr-6e_moving-actors-rgb.py',
    '../../_base_/multigrid.py'
]
multigrid = dict(eval_freq=1, precise_bn=25)  # a short run
