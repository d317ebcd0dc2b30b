_base_ = [
    'mmaction::recognition/mvit/mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb.py',  # noqa: E501
    '../../_base_/multigrid.py'
]
