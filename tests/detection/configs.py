"""Stock configs of detection, made small as a user would do it."""

TEXT = """
_base_ = ['mmaction::detection/{base}.py']
custom_imports = dict(
    imports=['mmaction_multigrid'], allow_failed_imports=False)
runner_type = 'MultigridRunner'
multigrid = dict(eval_freq=1, precise_bn=2)
model = {model}
sizes = dict(
    SampleAVAFrames=dict(clip_len={frames}, frame_interval=1),
    RandomRescale=dict(scale_range=(64, 80)),
    RandomCrop=dict(size=64),
    Resize=dict(scale=(-1, 64)))
train_pipeline, val_pipeline = [
    [dict(step, **sizes.get(step['type'], dict())) for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.val_pipeline)]
train_dataloader, val_dataloader = [
    dict(
        batch_size=batch, num_workers=workers, persistent_workers=workers > 0,
        dataset=dict(
            ann_file='{data}/' + split + '.csv',
            exclude_file='{data}/' + split + '_excluded.csv',
            proposal_file='{data}/' + split + '_proposals.pkl',
            label_file='{data}/labels.pbtxt',
            data_prefix=dict(img='{data}/{media}'), pipeline=pipeline,
            num_classes=6, {times}))
    for split, pipeline, batch, workers in (
        ('train', train_pipeline, 1, 1), ('val', val_pipeline, 1, 0))]
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(
    _delete_=True, type='AVAMetric', ann_file='{data}/val.csv',
    exclude_file='{data}/val_excluded.csv', label_file='{data}/labels.pbtxt',
    num_classes=6)
train_cfg = dict(max_epochs=3)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=3, milestones=[2],
         gamma=0.1)]
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=1, max_keep_ckpts=-1))
randomness = dict(seed=0)
"""
FRAMES = dict(
    media='frames', times='timestamp_start=0, timestamp_end=2, fps=20')
VIDEOS = dict(media='videos', times='timestamp_start=-19')


def narrow(channels, backbone, **roi_head):
    """Return a small model."""
    roi_head['bbox_head'] = dict(in_channels=channels, num_classes=6)
    return dict(init_cfg=None, backbone=backbone, roi_head=roi_head)


PATHWAYS = dict(
    slow_pathway=dict(depth=18, base_channels=8),
    fast_pathway=dict(depth=18, base_channels=1))
RESNET = dict(depth=18, base_channels=8)
VIT = dict(img_size=64, num_frames=8, embed_dims=16, depth=2, num_heads=2)
AVA = 'slowfast/slowfast_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb'
# Config, small model, frames, and where the clips are.
CONFIGS = dict(
    slowfast=(AVA, narrow(72, PATHWAYS), 32, FRAMES),
    acrn=('acrn/slowfast-acrn_kinetics400-pretrained-r50_'
          '8xb8-8x8x1-cosine-10e_ava21-rgb',
          narrow(
              72, PATHWAYS, shared_head=dict(in_channels=144,
                                             out_channels=72)), 32, FRAMES),
    ava_kinetics=('slowonly/slowonly_k400-pre-r50_'
                  '8xb8-8x8x1-10e_ava-kinetics-rgb', narrow(64, RESNET), 8,
                  FRAMES),
    context=('slowonly/slowonly_k700-pre-r50-context-temporal-max-nl-head_'
             '8xb8-8x8x1-10e_ava-kinetics-rgb', narrow(128,
                                                       RESNET), 8, FRAMES),
    videomae=('videomae/vit-base-p16_videomae-k400-pre_'
              '8xb8-16x4x1-20e-adamw_ava-kinetics-rgb', narrow(16, VIT), 8,
              FRAMES),
    multisports=('slowonly/slowonly_kinetics400-pretrained-r50_'
                 '8xb16-4x16x1-8e_multisports-rgb', narrow(64,
                                                           RESNET), 8, VIDEOS))


def write(name, data, folder):
    """Write the config of a name into a folder, and return its path."""
    base, model, frames, times = CONFIGS[name]
    path = folder / f'{name}.py'
    text = TEXT.format_map(
        dict(times, base=base, model=model, frames=frames, data=data))
    path.write_text(text)
    return path
