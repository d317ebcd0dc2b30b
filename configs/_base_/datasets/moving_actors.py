# Boxes around two or three squares, 400 key frames to train on and 120 to
# validate on: python tools/data/moving_actors.py data/moving_actors
dataset_type = 'AVADataset'
data_root = 'data/moving_actors/'
train_pipeline = [
    dict(type='SampleAVAFrames', clip_len=16, frame_interval=2),
    dict(type='RawFrameDecode'),
    dict(type='RandomRescale', scale_range=(64, 80)),
    dict(type='RandomCrop', size=64),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='PackActionInputs')
]
val_pipeline = [
    dict(
        type='SampleAVAFrames', clip_len=16, frame_interval=2, test_mode=True),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 64)),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='PackActionInputs')
]
common = dict(
    type=dataset_type,
    label_file=data_root + 'labels.pbtxt',
    data_prefix=dict(img=data_root + 'frames'),
    num_classes=6,
    timestamp_start=0,
    timestamp_end=2,
    fps=20)
train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        ann_file=data_root + 'train.csv',
        exclude_file=data_root + 'train_excluded.csv',
        proposal_file=data_root + 'train_proposals.pkl',
        pipeline=train_pipeline,
        **common))
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file=data_root + 'val.csv',
        exclude_file=data_root + 'val_excluded.csv',
        proposal_file=data_root + 'val_proposals.pkl',
        pipeline=val_pipeline,
        test_mode=True,
        **common))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='AVAMetric',
    ann_file=data_root + 'val.csv',
    label_file=data_root + 'labels.pbtxt',
    exclude_file=data_root + 'val_excluded.csv',
    num_classes=6)
test_evaluator = val_evaluator
