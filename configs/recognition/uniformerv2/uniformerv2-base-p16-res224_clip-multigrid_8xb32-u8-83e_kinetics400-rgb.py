_base_ = [
    'mmaction::recognition/uniformerv2/uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb.py',  # noqa: E501
    '../../_base_/multigrid.py'
]
