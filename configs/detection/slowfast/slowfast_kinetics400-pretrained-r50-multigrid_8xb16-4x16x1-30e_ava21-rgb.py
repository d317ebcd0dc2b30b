_base_ = [
    'mmaction::detection/slowfast/slowfast_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb.py',  # noqa: E501
    '../../_base_/multigrid.py'
]
