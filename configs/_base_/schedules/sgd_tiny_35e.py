# As sgd_tiny_70e.py, of half the length.
_base_ = ['sgd_tiny_70e.py']

train_cfg = dict(max_epochs=35)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        begin=0,
        end=2,
        convert_to_iter_based=True),
    dict(
        type='MultiStepLR',
        begin=0,
        end=35,
        by_epoch=True,
        milestones=[18, 28],
        gamma=0.1)
]
