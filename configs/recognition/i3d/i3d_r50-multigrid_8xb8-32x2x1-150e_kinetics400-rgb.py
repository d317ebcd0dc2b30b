_base_ = [
    'i3d_r50_8xb8-32x2x1-100e_kinetics400-rgb.py', '../../_base_/multigrid.py'
]
