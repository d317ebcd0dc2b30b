"""One stock config of each family, made small as a user would do it.

Each entry becomes a config file in a folder of its own: it inherits a config
of the installed MMAction2 through ``mmaction::``, adds the lines of the README
and overrides data, schedule and the size of network and clips.
"""

from typing import NamedTuple

BASE = """\
_base_ = ['mmaction::{base}']
"""
OURS = """\
custom_imports = dict(
    imports=['mmaction_multigrid'], allow_failed_imports=False)
runner_type = 'MultigridRunner'
multigrid = dict({multigrid})
"""

# What a user of a Kinetics config overrides: list, folder, size of the clips.
# The steps stay the stock config's own, so that they hold its ``_scope_``.
VIDEOS = """
sizes = {sizes}
train_pipeline, val_pipeline, test_pipeline = [
    [dict(step, **sizes.get(step['type'], dict())) for step in pipeline
     if step['type'] != 'PytorchVideoWrapper']
    for pipeline in (_base_.train_pipeline, _base_.val_pipeline,
                     _base_.test_pipeline)]
train_dataloader = dict(
    batch_size={batch_size}, num_workers={workers},
    persistent_workers={workers} > 0,
    dataset=dict(ann_file='{data}/train.txt', data_prefix=dict(video='{data}'),
                 pipeline=train_pipeline))
val_dataloader, test_dataloader = [
    dict(batch_size=1, num_workers=0, persistent_workers=False,
         dataset=dict(ann_file='{data}/val.txt',
                      data_prefix=dict(video='{data}'), pipeline=pipeline))
    for pipeline in (val_pipeline, test_pipeline)]
"""

SCHEDULE = """
train_cfg = dict(max_epochs={epochs}, val_begin=1, val_interval=1)
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=1, max_keep_ckpts=-1))
randomness = dict(seed=0)
"""

COSINE = """
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=1,
         convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max={epochs}, eta_min=0, by_epoch=True,
         begin=0, end={epochs}, convert_to_iter_based=True)]
"""

STEPS = """
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, begin=0, end={epochs},
         milestones=[{epochs} // 2, {epochs} * 3 // 4], gamma=0.1)]
"""

FRAMES = """
dataset_type = 'RawframeDataset'
for pipeline in (train_pipeline, val_pipeline, test_pipeline):
    pipeline[:] = [
        dict(step, type=step['type'].replace('DecordDecode', 'RawFrameDecode'))
        for step in pipeline if step['type'] != 'DecordInit']
for loader, split in (
        (train_dataloader, 'train'), (val_dataloader, 'val'),
        (test_dataloader, 'val')):
    loader['dataset'].update(
        type='RawframeDataset', ann_file='{data}/frames_' + split + '.txt',
        data_prefix=dict(img='{data}/frames'))
"""

POSES = """
sizes = dict(UniformSampleFrames=dict(clip_len={frames}))
train_pipeline, val_pipeline, test_pipeline = [
    [dict(step, **sizes.get(step['type'], dict())) for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.val_pipeline,
                     _base_.test_pipeline)]
train_dataloader = dict(
    batch_size={batch_size}, num_workers=0, persistent_workers=False,
    dataset=dict(times=1, dataset=dict(
        ann_file='{data}/poses.pkl', split='train', pipeline=train_pipeline)))
val_dataloader, test_dataloader = [
    dict(batch_size=4, num_workers=0, persistent_workers=False,
         dataset=dict(ann_file='{data}/poses.pkl', split='val',
                      pipeline=pipeline))
    for pipeline in (val_pipeline, test_pipeline)]
"""


class Family(NamedTuple):
    """A stock config, and how it is narrowed.

    Attributes:
        base (str): The stock config, below MMAction2's ``configs``.
        model (str): Lines that make its network small.
        frames (int): ``clip_len`` of the base clips, or their segments.
        segments (bool): Whether the network takes segments of one frame.
        crop (int): Side of the base crop, in pixels.
        schedule (str): Lines of the lr schedule.
        data (str): Lines of the data.
        multigrid (str): Arguments of ``multigrid = dict(...)``.
        epochs (int): Epochs of base training.
        batch_size (int): Base batch.
        workers (int): Data workers.
    """
    base: str
    model: str
    frames: int = 8
    segments: bool = False
    crop: int = 48
    schedule: str = COSINE
    data: str = VIDEOS
    multigrid: str = 'eval_freq=1, precise_bn=2'
    epochs: int = 3
    batch_size: int = 2
    workers: int = 0

    def text(self, data, ours=OURS):
        """Text of the config on the data in a folder.

        Args:
            data (str): The folder.
            ours (str): The lines that make it a multigrid config.
        """
        crop = (self.crop, self.crop)
        sampling = dict(clip_len=self.frames, frame_interval=1)
        sizes = dict(
            SampleFrames={} if self.segments else sampling,
            DenseSampleFrames=sampling,
            UniformSample=dict(clip_len=self.frames),
            RandomCrop=dict(size=self.crop),
            CenterCrop=dict(crop_size=self.crop),
            ThreeCrop=dict(crop_size=self.crop),
            TenCrop=dict(crop_size=self.crop),
            MultiScaleCrop=dict(input_size=self.crop))
        text = BASE + ours + self.model + self.data + self.schedule + SCHEDULE
        text = text.replace('{sizes}', repr(sizes)).replace('{data}', data)
        for key in ('base', 'frames', 'multigrid', 'epochs', 'batch_size',
                    'workers'):
            text = text.replace('{%s}' % key, str(getattr(self, key)))
        return text + RESIZE.format(crop=crop, side=self.crop + 8)


# The last resize of a train pipeline sets the crop, and others the short side
# that is cropped from, all of which ``ThreeCrop`` needs.
RESIZE = """
for pipeline in (train_pipeline, val_pipeline, test_pipeline):
    kinds = [step['type'] for step in pipeline]
    for step in pipeline:
        if step['type'] == 'Resize' and -1 not in step['scale']:
            step['scale'] = {crop}
        elif step['type'] == 'Resize':
            step['scale'] = (-1, {crop}[0] if 'ThreeCrop' in kinds else {side})
for step in test_pipeline:
    if step.get('clip_len', 1) > 1:
        step['num_clips'] = 2
"""


def resnet(channels, **backbone):
    """Return lines for a ResNet-18 and the channels of its head."""
    backbone = dict(dict(depth=18, pretrained=None), **backbone)
    return (f'model = dict(\n    backbone={backbone!r},\n'
            f'    cls_head=dict(in_channels={channels}, num_classes=2))\n')


# Two of the four stages of a 2D ResNet.
SMALL_2D = dict(
    num_stages=2, out_indices=(1, ), strides=(1, 2), dilations=(1, 1))
SMALL_PATHWAYS = """
model = dict(
    backbone=dict(
        slow_pathway=dict(depth=18, base_channels=16),
        fast_pathway=dict(depth=18, base_channels=2)),
    cls_head=dict(in_channels=144, num_classes=2))
"""
SMALL_TPN = """
model = dict(
    backbone=dict(depth=18, pretrained=None, base_channels=8),
    neck=dict(
        in_channels=(32, 64), out_channels=32,
        spatial_modulation_cfg=dict(in_channels=(32, 64), out_channels=64),
        temporal_modulation_cfg=dict(downsample_scales=(8, 8)),
        level_fusion_cfg=dict(
            in_channels=(32, 32), mid_channels=(32, 32)),
        aux_head_cfg=dict(out_channels=2)),
    cls_head=dict(num_classes=2))
"""
SMALL_MVIT = """
model = dict(
    backbone=dict(
        _delete_=True, type='MViT', spatial_size=48, temporal_size=8,
        drop_path_rate=0.,
        arch=dict(embed_dims=16, num_layers=3, num_heads=1,
                  downscale_indices=[1])),
    data_preprocessor=dict(blending=dict(augments=[
        dict(type='MixupBlending', alpha=0.8, num_classes=2),
        dict(type='CutmixBlending', alpha=1, num_classes=2)])),
    cls_head=dict(in_channels=32, num_classes=2))
"""
# Its own steps are layer-wise lr decay, erased boxes and repeated clips.
SMALL_MASKFEAT = SMALL_MVIT.replace('drop_path_rate=0.', 'drop_path_rate=0.1')
SMALL_MASKFEAT += """
optim_wrapper = dict(paramwise_cfg=dict(num_layers=3))
custom_hooks = [dict(type='EMAHook', momentum=0.1)]
"""
SMALL_SWIN = """
model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=16, depths=[2, 2],
                  num_heads=[1, 2]),
        out_indices=(1, ), pretrained=None, pretrained2d=False,
        window_size=(4, 4, 4)),
    cls_head=dict(in_channels=32, num_classes=2))
# The stock config trains in mixed precision, which mmengine refuses on CPUs.
optim_wrapper = dict(type='OptimWrapper')
"""
SMALL_UNIFORMER = """
model = dict(
    backbone=dict(
        input_resolution=48, t_size=8, width=16, layers=2, heads=2, n_layers=2,
        n_dim=16, n_head=2, return_list=[0, 1], mlp_dropout=[0.5, 0.5],
        clip_pretrained=False, pretrained=None),
    cls_head=dict(in_channels=16, num_classes=2))
"""
SMALL_TIMESFORMER = """
model = dict(
    backbone=dict(
        img_size=48, num_frames=8, pretrained=None, embed_dims=16, num_heads=2,
        num_transformer_layers=2),
    cls_head=dict(in_channels=16, num_classes=2))
"""
SMALL_POSEC3D = """
model = dict(
    backbone=dict(depth=18, base_channels=8, stage_blocks=(1, 1, 1)),
    cls_head=dict(in_channels=32, num_classes=2))
"""

FAMILIES = dict(
    slowfast=Family(
        'recognition/slowfast/'
        'slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb.py',
        SMALL_PATHWAYS,
        frames=32,
        crop=48,
        schedule=STEPS,
        multigrid='',
        epochs=4,
        workers=2),
    slowonly=Family(
        'recognition/slowonly/'
        'slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb.py',
        resnet(64, base_channels=8)),
    slowonly_frames=Family(
        'recognition/slowonly/'
        'slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb.py',
        resnet(64, base_channels=8),
        data=VIDEOS + FRAMES),
    i3d=Family(
        'recognition/i3d/'
        'i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py',
        resnet(64, base_channels=8, pretrained2d=False, inflate=1),
        frames=32,
        schedule=STEPS),
    i3d_16=Family(
        'recognition/i3d/'
        'i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py',
        resnet(64, base_channels=8, pretrained2d=False, inflate=1),
        frames=16,
        schedule=STEPS,
        multigrid=('eval_freq=1, long_cycle_factors='
                   '((.5, .5**.5), (.5, 1), (1, 1))')),
    nonlocal_i3d=Family(
        'recognition/i3d/i3d_imagenet-pretrained-r50-nl-dot-product_'
        '8xb8-32x2x1-100e_kinetics400-rgb.py',
        resnet(
            64,
            base_channels=8,
            pretrained2d=False,
            inflate=1,
            non_local=((0, 0), (1, 0), (1, 0), (0, 0))),
        frames=32),
    r2plus1d=Family(
        'recognition/r2plus1d/'
        'r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb.py',
        resnet(64, base_channels=8),
        schedule=STEPS,
        multigrid="max_batch_factor='auto', eval_freq=2, precise_bn=2",
        epochs=6),
    csn=Family('recognition/csn/ircsn_r152_32x2x1-180e_kinetics400-rgb.py',
               resnet(256, depth=50, base_channels=8)),
    c2d=Family(
        'recognition/c2d/'
        'c2d_r50-in1k-pre_8xb32-8x8x1-100e_kinetics400-rgb.py',
        resnet(128, **SMALL_2D)),
    tpn=Family(
        'recognition/tpn/tpn-slowonly_r50_8xb8-8x8x1-150e_kinetics400-rgb.py',
        SMALL_TPN,
        schedule=STEPS),
    mvit=Family(
        'recognition/mvit/'
        'mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb.py', SMALL_MVIT),
    mvit_maskfeat=Family(
        'recognition/mvit/mvit-small-p244_k400-maskfeat-pre_'
        '8xb32-16x4x1-100e_kinetics400-rgb.py', SMALL_MASKFEAT),
    swin=Family(
        'recognition/swin/swin-tiny-p244-w877_in1k-pre_'
        '8xb8-amp-32x2x1-30e_kinetics400-rgb.py', SMALL_SWIN),
    uniformerv2=Family(
        'recognition/uniformerv2/'
        'uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb.py',
        SMALL_UNIFORMER),
    timesformer=Family(
        'recognition/timesformer/'
        'timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb.py',
        SMALL_TIMESFORMER,
        schedule=STEPS),
    posec3d=Family(
        'skeleton/posec3d/'
        'slowonly_r50_8xb16-u48-240e_ntu60-xsub-keypoint.py',
        SMALL_POSEC3D,
        frames=16,
        data=POSES),
    tsn=Family(
        'recognition/tsn/tsn_imagenet-pretrained-r50_'
        '8xb32-1x1x8-100e_kinetics400-rgb.py',
        resnet(128, **SMALL_2D),
        segments=True,
        schedule=STEPS),
    tsm=Family(
        'recognition/tsm/tsm_imagenet-pretrained-r50_'
        '8xb16-1x1x8-50e_kinetics400-rgb.py',
        resnet(512, pretrained2d=False),
        segments=True,
        schedule=STEPS))
