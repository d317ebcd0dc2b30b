# UTD-MHAD for 2D networks: 8 segments of one frame, crops of 48.
_base_ = ['utd_mhad_depth.py']

changes = dict(
    SampleFrames=dict(clip_len=1, frame_interval=1, num_clips=8),
    CenterCrop=dict(crop_size=48),
    FormatShape=dict(input_format='NCHW'))
train_pipeline, val_pipeline = [[
    dict(step, **changes.get(step['type'], {})) for step in pipeline
] for pipeline in (_base_.train_pipeline, _base_.val_pipeline)]
train_pipeline[4]['scale'] = (48, 48)
val_pipeline[3]['scale'] = (-1, 56)
test_pipeline = val_pipeline

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
