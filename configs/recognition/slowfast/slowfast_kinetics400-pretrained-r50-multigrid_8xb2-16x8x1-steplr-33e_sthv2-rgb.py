_base_ = [
    'slowfast_kinetics400-pretrained-r50_8xb2-16x8x1-steplr-22e_sthv2-rgb.py',
    '../../_base_/multigrid.py'
]
multigrid = dict(bn_base_size=8)  # the reference's, across GPUs
