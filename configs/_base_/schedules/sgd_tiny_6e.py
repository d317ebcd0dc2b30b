# A small detector from scratch on a few hundred key frames: 1,200 iterations
# of 2 clips for the moving actors.
_base_ = ['sgd_tiny_4e.py']
max_epochs = 6
train_cfg = dict(max_epochs=max_epochs, val_begin=2, val_interval=2)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        begin=0,
        end=0.5,
        convert_to_iter_based=True),
    dict(
        type='MultiStepLR',
        by_epoch=True,
        begin=0,
        end=max_epochs,
        milestones=[5],
        gamma=0.1)
]
optim_wrapper = dict(optimizer=dict(lr=0.025))
