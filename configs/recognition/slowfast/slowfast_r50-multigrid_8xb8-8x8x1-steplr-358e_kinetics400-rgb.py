_base_ = [
    'mmaction::recognition/slowfast/slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb.py',  # noqa: E501
    '../../_base_/multigrid.py'
]
# the reference's base; multigrid makes 358 epochs of it
train_cfg = dict(max_epochs=239)
