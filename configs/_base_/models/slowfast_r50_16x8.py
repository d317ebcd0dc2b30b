# SlowFast-R50 16x8: of 64 frames the slow pathway takes every fourth.
_base_ = ['mmaction::_base_/models/slowfast_r50.py']
model = dict(
    backbone=dict(
        resample_rate=4,  # tau
        speed_ratio=4,  # alpha
        channel_ratio=8,  # beta_inv
        slow_pathway=dict(fusion_kernel=7)))
