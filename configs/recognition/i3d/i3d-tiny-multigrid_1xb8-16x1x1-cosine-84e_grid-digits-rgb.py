_base_ = [
    'i3d-tiny_1xb8-16x1x1-cosine-56e_grid-digits-rgb.py',
    '../../_base_/multigrid.py'
]
multigrid = dict(eval_freq=1, precise_bn=50)
