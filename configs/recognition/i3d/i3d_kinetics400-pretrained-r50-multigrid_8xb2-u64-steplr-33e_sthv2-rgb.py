_base_ = [
    'i3d_kinetics400-pretrained-r50_8xb2-u64-steplr-22e_sthv2-rgb.py',
    '../../_base_/multigrid.py'
]
multigrid = dict(bn_base_size=8)  # the reference's, across GPUs
