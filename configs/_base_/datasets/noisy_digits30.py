# 30 orders of two motions behind noise, 750 clips of 16 frames to train on,
# 900 to validate on:
# python tools/data/moving_digits.py data/noisy_digits30 --classes 30 \
#     --parts 2 --shake 1 --noise 80 --num-train 750
#     --num-val 900 --num-frames 16
_base_ = ['moving_digits16.py']
data_root = 'data/noisy_digits30/'
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        ann_file=data_root + 'train.txt', data_prefix=dict(video=data_root)))
val_dataloader = dict(
    dataset=dict(
        ann_file=data_root + 'val.txt', data_prefix=dict(video=data_root)))
test_dataloader = val_dataloader
