_base_ = [
    'slowfast_kinetics400-pretrained-r50_8xb2-16x8x1-steplr-57e_charades-rgb.py'  # noqa: E501
]
runner_type = 'MultigridRunner'
multigrid = dict(bn_base_size=8)  # the reference's, across GPUs
