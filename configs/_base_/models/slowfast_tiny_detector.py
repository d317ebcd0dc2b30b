# The backbone of slowfast_tiny.py with MMAction2's head for boxes.
_base_ = ['slowfast_tiny.py']
model = dict(
    _delete_=True,
    type='FastRCNN',
    _scope_='mmdet',
    backbone=dict(_base_.model.backbone, type='mmaction.ResNet3dSlowFast'),
    roi_head=dict(
        type='AVARoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor3D',
            featmap_stride=8,
            roi_layer_type='RoIAlign',
            output_size=4,
            with_temporal_pool=True),
        bbox_head=dict(
            type='BBoxHeadAVA',
            background_class=True,
            in_channels=48,
            num_classes=6,
            topk=(1, ),
            multilabel=True)),
    data_preprocessor=dict(
        _base_.model.data_preprocessor,
        type='mmaction.ActionDataPreprocessor'),
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(
                type='MaxIoUAssignerAVA',
                pos_iou_thr=0.9,
                neg_iou_thr=0.9,
                min_pos_iou=0.9),
            sampler=dict(
                type='RandomSampler',
                num=32,
                pos_fraction=1,
                neg_pos_ub=-1,
                add_gt_as_proposals=True),
            pos_weight=1.0)),
    test_cfg=dict(rcnn=None))
