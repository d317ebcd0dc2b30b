_base_ = [
    'i3d-tiny-nl-dot-product_1xb4-16x4x1-steplr-70e_utd-mhad-depth-rgb.py',
    '../../_base_/multigrid.py'
]
# a small dataset: as many validations as the baseline has
multigrid = dict(eval_freq=1, precise_bn=50)
