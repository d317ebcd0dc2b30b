# The explicit form of multigrid training. It needs no runner of its own and
# nothing but the package's core, and every part can be inherited and changed.
_base_ = [
    'mmaction::recognition/slowfast/slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb.py'  # noqa: E501
]
custom_imports = dict(
    imports=['mmaction_multigrid.core'], allow_failed_imports=False)

# a shape is (batch factor, frames, crop); the stage's own is the last
stages = [
    dict(epochs=73, shapes=[(16, 8, 112), (8, 8, 158), (8, 8, 158)]),
    dict(epochs=37, shapes=[(8, 16, 112), (4, 16, 158), (4, 16, 158)]),
    dict(epochs=32, shapes=[(8, 16, 112), (4, 16, 158), (2, 16, 224)]),
    dict(epochs=16, shapes=[(4, 32, 112), (2, 32, 158), (1, 32, 224)]),
    dict(epochs=47, shapes=[(16, 8, 112), (8, 8, 158), (8, 8, 158)]),
    dict(epochs=23, shapes=[(8, 16, 112), (4, 16, 158), (4, 16, 158)]),
    dict(epochs=20, shapes=[(8, 16, 112), (4, 16, 158), (2, 16, 224)]),
    dict(epochs=11, shapes=[(4, 32, 112), (2, 32, 158), (1, 32, 224)]),
    dict(epochs=32, shapes=[(16, 8, 112), (8, 8, 158), (8, 8, 158)]),
    dict(epochs=17, shapes=[(8, 16, 112), (4, 16, 158), (4, 16, 158)]),
    dict(epochs=14, shapes=[(8, 16, 112), (4, 16, 158), (2, 16, 224)]),
    dict(epochs=7, shapes=[(4, 32, 112), (2, 32, 158), (1, 32, 224)]),
    dict(epochs=29, shapes=[(4, 32, 112), (2, 32, 158), (1, 32, 224)]),
]
train_cfg = dict(
    _delete_=True, type='MultigridTrainLoop', max_epochs=358, eval_freq=3)
param_scheduler = [
    dict(
        type='MultigridLR',
        points=[  # (epoch, factor of the base lr from there on)
            (0, 8.0),
            (73, 4.0),
            (110, 2.0),
            (142, 1.0),
            (158, 0.8),
            (205, 0.4),
            (228, 0.2),
            (248, 0.1),
            (259, 0.08000000000000002),
            (291, 0.04000000000000001),
            (308, 0.020000000000000004),
            (322, 0.010000000000000002),
            (329, 0.010000000000000002),
            (343, 0.0010000000000000002),
        ],
        warmup_epochs=34.,
        warmup_factor=0.1)
]
pipeline = [
    dict(type='DecordInit', io_backend='disk'),
    dict(
        type='MultigridTransform',
        transform=dict(
            type='SampleFrames', clip_len=32, frame_interval=2, num_clips=1)),
    dict(type='DecordDecode'),
    dict(
        type='MultigridTransform',
        transform=dict(type='Resize', scale=(-1, 256)),
        lazy=True),
    dict(
        type='MultigridTransform',
        transform=dict(type='RandomResizedCrop'),
        lazy=True),
    dict(
        type='MultigridTransform',
        transform=dict(type='Resize', scale=(224, 224), keep_ratio=False),
        lazy=True),
    dict(type='FuseOnGrid'),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    # seconds for one batch: a decoder that hangs would hold
    # the run up for ever
    timeout=600,
    batch_sampler=dict(type='MultigridBatchSampler', stages=stages),
    dataset=dict(
        _delete_=True,
        type='MultigridDataset',
        base_shape=(32, 224),
        dataset=dict(
            type='VideoDataset',
            ann_file='data/kinetics400/kinetics400_train_list_videos.txt',
            data_prefix=dict(video='data/kinetics400/videos_train'),
            pipeline=pipeline)))
custom_hooks = [
    dict(type='MultigridHook'),
    dict(type='PreciseBNHook', base_shape=(32, 224), num_batches=200)
]
