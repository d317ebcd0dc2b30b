_base_ = [
    'slowfast-tiny_1xb8-16x1x1-steplr-4e_moving-digits16-rgb.py',
    '../../_base_/multigrid.py'
]
# a short run: as many validations as the baseline has
multigrid = dict(eval_freq=1, precise_bn=25)
