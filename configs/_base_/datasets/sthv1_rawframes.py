# Something-Something V1, 174 classes, from raw frames; otherwise as V2.
# MMAction2's lists (tools/data/sthv1).
_base_ = ['sthv2_video.py']
data_prefix = dict(_delete_=True, img='data/sthv1/rawframes')

train_pipeline = [
    dict(type='UniformSample', clip_len=64),
    dict(type='RawFrameDecode'),
    dict(type='RandomRescale', scale_range=(256, 320)),
    dict(type='RandomCrop', size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='UniformSample', clip_len=64, test_mode=True),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
frames = dict(
    type='RawframeDataset', data_prefix=data_prefix, filename_tmpl='{:05}.jpg')

train_dataloader = dict(
    dataset=dict(
        ann_file='data/sthv1/sthv1_train_list_rawframes.txt',
        pipeline=train_pipeline,
        **frames))
val_dataloader = dict(
    dataset=dict(
        ann_file='data/sthv1/sthv1_val_list_rawframes.txt',
        pipeline=val_pipeline,
        **frames))
test_dataloader = val_dataloader
