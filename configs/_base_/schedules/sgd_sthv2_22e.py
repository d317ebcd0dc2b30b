# The method's reference for Something-Something: lr 0.03 for 16 clips, a tenth
# at epochs 14 and 18 of 22, from weights of Kinetics-400; no weight decay of
# batch-norm layers.
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=22, val_begin=1, val_interval=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.03, momentum=0.9, weight_decay=1e-6),
    paramwise_cfg=dict(norm_decay_mult=0.),
    clip_grad=dict(max_norm=40, norm_type=2))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1 / 300,
        by_epoch=True,
        begin=0,
        end=0.19,
        convert_to_iter_based=True),
    dict(
        type='MultiStepLR',
        begin=0,
        end=22,
        by_epoch=True,
        milestones=[14, 18],
        gamma=0.1)
]
auto_scale_lr = dict(enable=False, base_batch_size=16)
