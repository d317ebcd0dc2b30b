_base_ = [
    'mmaction::recognition/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb.py',  # noqa: E501
    '../../_base_/multigrid.py'
]
custom_imports = dict(
    imports=['mmaction_multigrid'], allow_failed_imports=False)
runner_type = 'MultigridRunner'
# the paper's default: long and short cycle, 1.5x the epochs
multigrid = dict()
