"""MViT's stock training configs as they are, on small clips: everything that
they do beside the network."""

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from .test_training import assert_equal_weights, interrupted, train

pytestmark = pytest.mark.filterwarnings('ignore:torch.meshgrid')
NAME = ('recognition/mvit/mvit-small-p244_k400-maskfeat-pre_8xb32-16x4x1-100e_'
        'kinetics400-rgb.py')
BLOCKS = 3


def small(digits, work_dir):
    """A stock config on the demo's videos: clips of 8 frames of 64 pixels, six
    epochs, a network of few channels.

    RandAugment is left out, whose package is not installed with MMAction2; it
    takes clips of any shape.
    """
    init_default_scope('mmaction')
    work_dir.mkdir(exist_ok=True)
    (work_dir / 'stock.py').write_text(f"_base_ = ['mmaction::{NAME}']")
    cfg = Config.fromfile(work_dir / 'stock.py')
    cfg.model.backbone.update(
        arch=dict(
            embed_dims=8,
            num_layers=BLOCKS,
            num_heads=1,
            downscale_indices=[1]),
        spatial_size=64,
        temporal_size=8,
        out_scales=[1],
        pretrained=None,
        pretrained_type=None)
    cfg.model.cls_head.in_channels = 16
    sizes = {(-1, 256): (-1, 72), (224, 224): (64, 64)}
    for loader, part in ((cfg.train_dataloader, 'train'), (cfg.val_dataloader,
                                                           'val')):
        loader.update(batch_size=1, num_workers=1)
        loader.dataset.update(
            ann_file=str(digits / f'{part}.txt'),
            data_prefix=dict(video=str(digits)))
        pipeline = [
            step for step in loader.dataset.pipeline
            if step.type != 'PytorchVideoWrapper'
        ]
        for step in pipeline:
            step.update({
                key: value
                for key, value in dict(
                    clip_len=8,
                    frame_interval=1,
                    crop_size=64,
                    scale=sizes.get(step.get('scale'))).items() if key in step
            })
        pipeline[-1].meta_keys = ('img_shape', 'sample_idx')
        loader.dataset.pipeline = pipeline
    warmup, cosine = cfg.param_scheduler
    warmup.end = cosine.begin = 1
    cosine.end = cosine.T_max = 4
    cfg.merge_from_dict({
        'train_cfg.max_epochs':
        4,
        'optim_wrapper.optimizer.lr':
        1e-3,
        'optim_wrapper.paramwise_cfg.num_layers':
        BLOCKS,
        'multigrid':
        dict(cycle_ends=[0.75], precise_bn=0, eval_freq=1),
        'custom_hooks':
        [dict(type='RecordHook'),
         dict(type='EMAHook', momentum=0.1)],
        'default_hooks.checkpoint.interval':
        1,
        'work_dir':
        str(work_dir),
        'randomness.seed':
        1,
        'test_dataloader':
        None,
        'test_evaluator':
        None,
        'test_cfg':
        None
    })
    return cfg


def test_resumed_is_straight(digits, tmp_path):
    """Repeated and mixed clips, erased boxes, dropped paths and averaged
    weights are the same again; layers keep their share of the lr."""
    runner, straight = train(small(digits, tmp_path / 'straight'))
    assert len(straight) > 4
    groups = runner.optim_wrapper.param_groups
    assert len({group['initial_lr'] for group in groups}) > 3
    shares = [group['lr'] / group['initial_lr'] for group in groups]
    assert shares == pytest.approx([shares[0]] * len(groups))
    assert interrupted(small(digits, tmp_path / 'run'), 2) == straight
    assert_equal_weights(tmp_path / 'straight', tmp_path / 'run')
