_base_ = [
    'slowfast_imagenet-pretrained-r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb.py', '../../_base_/multigrid.py'
]
train_cfg = dict(max_epochs=239)  # the reference's base; multigrid makes 358 epochs of it
