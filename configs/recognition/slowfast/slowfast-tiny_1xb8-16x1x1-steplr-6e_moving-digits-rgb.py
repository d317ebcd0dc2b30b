# A SlowFast small enough to train on a CPU in minutes, on the data of tools/data/moving_digits.py by its defaults.
# It can be trained with multigrid because its spatial stride is 8 and four frames leave it one slow frame.
_base_ = ['mmaction::_base_/default_runtime.py']

num_classes = 8
max_epochs = 6

pathway = dict(  # a ResNet-3D of 3 stages of one block each
    type='resnet3d',
    depth=18,
    pretrained=None,
    num_stages=3,
    stage_blocks=(1, 1, 1),
    out_indices=(2, ),
    spatial_strides=(2, 2, 1),  # with that of conv1: 8 in all
    temporal_strides=(1, 1, 1),
    dilations=(1, 1, 1),
    conv1_stride_s=2,
    conv1_stride_t=1,
    pool1_stride_s=1,
    pool1_stride_t=1,
    norm_eval=False)
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3dSlowFast',
        pretrained=None,
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=2,
        slow_pathway=dict(
            base_channels=16,
            conv1_kernel=(1, 5, 5),
            inflate=(0, 1, 1),
            lateral=True,
            lateral_activate=(1, 1, 1),
            **pathway),
        fast_pathway=dict(base_channels=8, conv1_kernel=(5, 5, 5), inflate=(1, 1, 1), lateral=False, **pathway)),
    cls_head=dict(
        type='SlowFastHead',
        in_channels=96,  # 64 + 32
        num_classes=num_classes,
        spatial_type='avg',
        dropout_ratio=0.,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW'))

data_root = 'data/moving_digits'
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 56)),
    dict(type='RandomCrop', size=48),  # and no Flip: it would turn one class into another
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 56)),
    dict(type='CenterCrop', crop_size=48),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file=f'{data_root}/train.txt',
        data_prefix=dict(video=data_root),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file=f'{data_root}/val.txt',
        data_prefix=dict(video=data_root),
        pipeline=val_pipeline,
        test_mode=True))
test_dataloader = val_dataloader

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.06, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=max_epochs, milestones=[2, 5], gamma=0.1)
]

default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval=1, save_best=None, max_keep_ckpts=1),
    logger=dict(type='LoggerHook', interval=50, ignore_last=False))
visualizer = dict(type='ActionVisualizer', vis_backends=[dict(type='LocalVisBackend')])
auto_scale_lr = dict(enable=False, base_batch_size=8)
