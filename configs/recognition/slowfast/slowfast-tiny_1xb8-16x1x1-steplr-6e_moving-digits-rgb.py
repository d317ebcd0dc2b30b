# A SlowFast small enough to train on a CPU in minutes, on the data of
# tools/data/moving_digits.py by its defaults. It can be trained with multigrid
# because its spatial stride is 8 and four frames leave it one slow frame.
_base_ = [
    'mmaction::_base_/default_runtime.py',
    '../../_base_/models/slowfast_tiny.py',
    '../../_base_/datasets/moving_digits16.py'
]
max_epochs = 6
model = dict(
    backbone=dict(
        slow_pathway=dict(base_channels=16),
        fast_pathway=dict(base_channels=8, conv1_kernel=(5, 5, 5))),
    # 64 of the slow pathway, 32 of the fast one
    cls_head=dict(in_channels=96, num_classes=8))

data_root = 'data/moving_digits'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/train.txt', data_prefix=dict(video=data_root)))
val_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/val.txt', data_prefix=dict(video=data_root)))
test_dataloader = val_dataloader

train_cfg = dict(
    type='EpochBasedTrainLoop',
    max_epochs=max_epochs,
    val_begin=1,
    val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.06, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True),
    dict(
        type='MultiStepLR',
        by_epoch=True,
        begin=0,
        end=max_epochs,
        milestones=[2, 5],
        gamma=0.1)
]

default_hooks = dict(
    checkpoint=dict(
        type='CheckpointHook', interval=1, save_best=None, max_keep_ckpts=1),
    logger=dict(type='LoggerHook', interval=50, ignore_last=False))
visualizer = dict(
    type='ActionVisualizer', vis_backends=[dict(type='LocalVisBackend')])
auto_scale_lr = dict(enable=False, base_batch_size=8)
