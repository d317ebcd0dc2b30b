# The class is which of two motions comes first and which second: 30 orders, behind noise. 750 clips to train on, 900 to
# validate on: python tools/data/moving_digits.py data/noisy_digits30 --classes 30 --parts 2 --shake 1 --noise 80
#     --num-train 750 --num-val 900 --num-frames 16
_base_ = ['slowfast-tiny_1xb8-16x1x1-steplr-4e_moving-digits16-rgb.py']
model = dict(cls_head=dict(num_classes=30))

data_root = 'data/noisy_digits30/'
train_dataloader = dict(batch_size=4, dataset=dict(ann_file=data_root + 'train.txt', data_prefix=dict(video=data_root)))
val_dataloader = dict(dataset=dict(ann_file=data_root + 'val.txt', data_prefix=dict(video=data_root)))
test_dataloader = val_dataloader

max_epochs = 32  # 6,000 iterations
train_cfg = dict(max_epochs=max_epochs, val_begin=2, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=0.5, convert_to_iter_based=True),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=max_epochs, milestones=[28], gamma=0.1)
]
optim_wrapper = dict(optimizer=dict(lr=0.05))
