# One non-local block, behind the second stage.
_base_ = ['i3d-tiny_1xb4-16x4x1-steplr-70e_utd-mhad-depth-rgb.py']
model = dict(
    backbone=dict(
        non_local=((0, ), (1, ), (0, )),
        non_local_cfg=dict(
            sub_sample=True,
            use_scale=False,
            norm_cfg=dict(type='BN3d', requires_grad=True),
            mode='dot_product')))
