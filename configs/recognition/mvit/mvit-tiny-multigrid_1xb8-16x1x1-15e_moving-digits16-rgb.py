_base_ = [
    'mvit-tiny_1xb8-16x1x1-10e_moving-digits16-rgb.py',
    '../../_base_/multigrid.py'
]
# One long cycle: ten epochs are too few to be cut into three. A limit of
# 4 leaves 2,655 iterations of 6,250; without one there would be 1,641. 34
# pixels would make 9 x 9 tokens, as dear as 36.
multigrid = dict(
    cycle_ends=[5 / 6], eval_freq=2, max_batch_factor=4, crop_multiple=8)
