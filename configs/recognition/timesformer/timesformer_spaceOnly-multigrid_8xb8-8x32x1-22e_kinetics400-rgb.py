_base_ = [
    'mmaction::recognition/timesformer/timesformer_spaceOnly_8xb8-8x32x1-15e_kinetics400-rgb.py',  # noqa: E501
    '../../_base_/multigrid.py'
]
