"""Dataset, model and hooks that train in a second; a config imports them."""

import copy
import itertools

import numpy as np
from mmaction_multigrid import register_transform_rule
from mmaction_multigrid.core.dataset import MultigridDataset
from mmaction_multigrid.loading import ReplaceBrokenClips
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.hooks import Hook
from torch import nn

from mmaction.datasets.base import BaseActionDataset
from mmaction.registry import DATASETS, HOOKS, MODELS, TRANSFORMS

HEIGHT, WIDTH, TOTAL_FRAMES = 24, 32, 40
DISTRIBUTED = dict(
    type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
_names = itertools.count()


@DATASETS.register_module()
class ToyDataset(BaseActionDataset):
    """Clips that are made in memory."""

    def __init__(self, num_clips=64, pipeline=(), **kwargs):
        self.num_clips = num_clips
        super().__init__('', pipeline, **kwargs)

    def load_data_list(self):
        return [
            dict(label=i % 2, total_frames=TOTAL_FRAMES, clip=i)
            for i in range(self.num_clips)
        ]


def tolerant_dataset(dataset, base_shape):
    """Wrap a dataset as in a resolved config."""
    return MultigridDataset(ReplaceBrokenClips(dataset), base_shape)


@TRANSFORMS.register_module()
class ToyDecode(BaseTransform):
    """Make frames of a grey level by clip and frame, brighter for label 1."""

    def transform(self, results):
        frames = np.atleast_1d(results['frame_inds'])
        results['imgs'] = [
            np.full((HEIGHT, WIDTH, 3),
                    (results['label'] * 100 + results['clip'] + frame) % 256,
                    dtype=np.uint8) for frame in frames
        ]
        results['original_shape'] = results['img_shape'] = (HEIGHT, WIDTH)
        return results


register_transform_rule('ToyDecode')


@MODELS.register_module()
class ToyBackbone(nn.Module):
    """A convolution and a norm layer."""

    def __init__(self, channels=4, norm='BN3d', stride=1):
        super().__init__()
        self.conv = nn.Conv3d(
            3, channels, 3, stride=(1, stride, stride), padding=1, bias=False)
        self.bn = MODELS.build(dict(type=norm, num_features=channels))

    def init_weights(self):
        """Nothing to initialise."""

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


@HOOKS.register_module()
class RecordHook(Hook):
    """Record what every iteration gets."""
    priority = 'LOWEST'
    records = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        clip = data_batch['inputs'][0]
        RecordHook.records.append(
            dict(
                epoch=runner.epoch,
                iter=runner.iter,
                batch=len(data_batch['inputs']),
                frames=clip.shape[-3],
                crop=clip.shape[-1],
                lr=runner.optim_wrapper.param_groups[0]['lr'],
                lrs=[g['lr'] for g in runner.optim_wrapper.param_groups],
                indices=[
                    sample.sample_idx for sample in data_batch['data_samples']
                ]))


@HOOKS.register_module()
class SplitsHook(Hook):
    """Record the splits of the norm layer by the stage's batch factor."""
    priority = 'LOWEST'
    seen = {}

    def before_train_epoch(self, runner):
        factor = runner.train_dataloader.batch_sampler.stage.shape.batch_factor
        model = getattr(runner.model, 'module', runner.model)
        SplitsHook.seen[factor] = model.backbone.bn.num_splits


@HOOKS.register_module()
class StopHook(Hook):
    """Stop training when an epoch is finished and saved."""
    priority = 'LOWEST'

    def __init__(self, epoch):
        self.epoch = epoch

    def before_train_epoch(self, runner):
        if runner.epoch == self.epoch:
            raise KeyboardInterrupt


def label_of(sample):
    """Return the label of a packed clip, in mmaction2 1.1 too."""
    sample = sample['data_samples']
    return sample.gt_label if 'gt_label' in sample else sample.gt_labels.item


def pipeline(train=True, frames=8, crop=16, extra=()):
    """Return a stock pipeline on toy frames."""
    return [
        dict(
            type='SampleFrames',
            clip_len=frames,
            frame_interval=2,
            num_clips=1,
            test_mode=not train),
        dict(type='ToyDecode'),
        dict(type='Resize', scale=(-1, crop + 2)),
        dict(type='RandomCrop', size=crop) if train else dict(
            type='CenterCrop', crop_size=crop),
        *extra,
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=('img_shape', 'sample_idx')),
    ]


def base_config(work_dir,
                num_clips=64,
                batch_size=2,
                max_epochs=6,
                milestones=(3, 5),
                workers=0,
                **multigrid):
    """Return a plain config of 8 frames x 16 pixels with multigrid."""

    def loader(train):
        return dict(
            batch_size=batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            sampler=dict(type='DefaultSampler', shuffle=train),
            dataset=dict(
                type='ToyDataset',
                num_clips=num_clips if train else 8,
                pipeline=pipeline(train),
                test_mode=not train))

    cfg = dict(
        default_scope='mmaction',
        # mmengine 0.8 has no default
        env_cfg=dict(dist_cfg=dict(backend='nccl')),
        custom_imports=dict(
            imports=['mmaction_multigrid'], allow_failed_imports=False),
        runner_type='MultigridRunner',
        multigrid=dict(precise_bn=2, allow_untested=True, **multigrid),
        model=dict(
            type='Recognizer3D',
            backbone=dict(type='ToyBackbone'),
            cls_head=dict(
                type='I3DHead',
                num_classes=2,
                in_channels=4,
                dropout_ratio=0.,
                average_clips='prob'),
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                mean=[100.] * 3,
                std=[50.] * 3,
                format_shape='NCTHW')),
        train_dataloader=loader(True),
        val_dataloader=loader(False),
        val_evaluator=dict(type='AccMetric'),
        val_cfg=dict(type='ValLoop'),
        train_cfg=dict(
            type='EpochBasedTrainLoop',
            max_epochs=max_epochs,
            val_begin=1,
            val_interval=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
        param_scheduler=[
            dict(
                type='LinearLR',
                start_factor=0.1,
                begin=0,
                end=2,
                by_epoch=True,
                convert_to_iter_based=True),
            dict(
                type='MultiStepLR',
                milestones=list(milestones),
                gamma=0.1,
                by_epoch=True,
                begin=0,
                end=max_epochs)
        ],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1),
            logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=[dict(type='RecordHook')],
        visualizer=dict(
            type='ActionVisualizer',
            vis_backends=[dict(type='LocalVisBackend')]),
        randomness=dict(seed=1),
        work_dir=str(work_dir),
        log_level='INFO')
    return Config(copy.deepcopy(cfg))


def new_name(cfg):
    """Name the experiment: names by mmengine are the same for a second."""
    cfg.experiment_name = f'toy_{next(_names)}'
    return cfg


def close_workers(runner):
    """End the workers of a run, each of which would take five seconds."""
    for loop in (runner._train_loop, runner._val_loop):
        loader = getattr(loop, 'dataloader', None)
        if getattr(loader, '_iterator', None) is not None:
            loader._iterator._shutdown_workers()
            loader._iterator = None
