# The method's reference for Charades: lr 0.0375 for 16 clips, a tenth at
# epochs 41 and 49 of 57.
_base_ = [
    '../../_base_/models/slowfast_r50_16x8.py',
    '../../_base_/datasets/charades_video.py',
    'mmaction::_base_/default_runtime.py'
]
custom_imports = dict(
    imports=['mmaction_multigrid.charades'], allow_failed_imports=False)
model = dict(cls_head=dict(type='MultiLabelSlowFastHead', num_classes=157))

train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=57, val_begin=1, val_interval=6)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.0375, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(norm_decay_mult=0.),
    clip_grad=dict(max_norm=40, norm_type=2))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1 / 375,
        by_epoch=True,
        begin=0,
        end=4,
        convert_to_iter_based=True),
    dict(
        type='MultiStepLR',
        begin=0,
        end=57,
        by_epoch=True,
        milestones=[41, 49],
        gamma=0.1)
]
auto_scale_lr = dict(enable=False, base_batch_size=16)

default_hooks = dict(checkpoint=dict(interval=6, max_keep_ckpts=3))
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/slowfast/slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb/slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb_20220818-b62a501f.pth'  # noqa: E501
