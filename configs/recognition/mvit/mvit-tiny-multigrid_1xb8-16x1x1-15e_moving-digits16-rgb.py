_base_ = [
    'mvit-tiny_1xb8-16x1x1-10e_moving-digits16-rgb.py',
    '../../_base_/multigrid.py'
]
# One long cycle: ten epochs are too few to be cut into three. A cap of 4 is
# what 'auto' makes of 5,000 clips; without one 1,641 updates would be left. 34
# pixels would make 9 x 9 tokens, as dear as 36.
multigrid = dict(
    cycle_ends=[5 / 6], eval_freq=2, max_batch_factor=4, crop_multiple=8)
