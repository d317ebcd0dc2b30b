_base_ = [
    'mmaction::_base_/default_runtime.py', '../../_base_/models/i3d_tiny.py',
    '../../_base_/datasets/grid_digits.py'
]
model = dict(
    backbone=dict(base_channels=12),
    cls_head=dict(in_channels=48, num_classes=10))

train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=56, val_begin=8, val_interval=8)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        begin=0,
        end=4,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=56,
        eta_min=0,
        by_epoch=True,
        begin=0,
        end=56,
        convert_to_iter_based=True)
]
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=40, norm_type=2))
default_hooks = dict(
    checkpoint=dict(interval=8, max_keep_ckpts=1), logger=dict(interval=20))
randomness = dict(seed=0)
