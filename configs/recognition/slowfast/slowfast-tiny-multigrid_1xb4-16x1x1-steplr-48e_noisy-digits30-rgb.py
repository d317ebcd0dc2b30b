_base_ = [
    'slowfast-tiny_1xb4-16x1x1-steplr-32e_noisy-digits30-rgb.py',
    '../../_base_/multigrid.py'
]
multigrid = dict(eval_freq=2, precise_bn=25)  # a short run
