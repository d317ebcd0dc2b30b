"""MViT's stock training configs as they are, on small clips: everything that they do beside the network."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmaction_multigrid import multigrid_schedule

from ..small import STOCK_TOOLS, run, scalars
from .test_training import assert_equal_weights, interrupted, train

pytestmark = pytest.mark.filterwarnings('ignore:torch.meshgrid')
SCRATCH = 'recognition/mvit/mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb.py'
FINE_TUNED = 'recognition/mvit/mvit-small-p244_k400-maskfeat-pre_8xb32-16x4x1-100e_kinetics400-rgb.py'
BLOCKS = 3


def small(name, digits, work_dir, workers=0):
    """A stock config on the demo's videos: clips of 8 frames of 64 pixels, six epochs, a network of few channels.

    RandAugment is left out, whose package is not installed with MMAction2; it takes clips of any shape.
    """
    init_default_scope('mmaction')
    work_dir.mkdir(exist_ok=True)
    (work_dir / 'stock.py').write_text(f"_base_ = ['mmaction::{name}']")
    cfg = Config.fromfile(work_dir / 'stock.py')
    cfg.model.backbone.update(
        arch=dict(embed_dims=8, num_layers=BLOCKS, num_heads=1, downscale_indices=[1]), spatial_size=64, temporal_size=8,
        out_scales=[1], pretrained=None, pretrained_type=None)
    cfg.model.cls_head.in_channels = 16
    sizes = {(-1, 256): (-1, 72), (224, 224): (64, 64)}
    for loader, part in ((cfg.train_dataloader, 'train'), (cfg.val_dataloader, 'val')):
        loader.update(batch_size=1, num_workers=workers, persistent_workers=workers > 0)
        loader.dataset.update(ann_file=str(digits / f'{part}.txt'), data_prefix=dict(video=str(digits)))
        pipeline = [step for step in loader.dataset.pipeline if step.type != 'PytorchVideoWrapper']
        for step in pipeline:
            step.update({key: value for key, value in dict(
                clip_len=8, frame_interval=1, crop_size=64, scale=sizes.get(step.get('scale'))).items() if key in step})
        pipeline[-1].meta_keys = ('img_shape', 'sample_idx')
        loader.dataset.pipeline = pipeline
    cfg.train_cfg.max_epochs = 4
    warmup, cosine = cfg.param_scheduler
    warmup.end = cosine.begin = 1
    cosine.end = cosine.T_max = 4
    cfg.optim_wrapper.optimizer.lr = 1e-3
    if 'num_layers' in cfg.optim_wrapper.get('paramwise_cfg', {}):
        cfg.optim_wrapper.paramwise_cfg.num_layers = BLOCKS
    cfg.multigrid = dict(cycle_ends=[0.75], precise_bn=0, eval_freq=1)
    cfg.custom_hooks = [dict(type='RecordHook'), dict(type='EMAHook', momentum=0.1)]
    cfg.default_hooks.checkpoint.interval = 1
    cfg.work_dir, cfg.randomness = str(work_dir), dict(seed=1)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    return cfg


def record_labels(monkeypatch):
    """What the losses are computed from."""
    seen = []
    from mmaction.models.heads import MViTHead
    loss = MViTHead.loss_by_feat

    def record(self, scores, samples, *args):
        seen.append(torch.stack([sample.gt_label for sample in samples]))
        return loss(self, scores, samples, *args)

    monkeypatch.setattr(MViTHead, 'loss_by_feat', record)
    return seen


@pytest.mark.parametrize('name', [SCRATCH, FINE_TUNED])
def test_all_of_it_at_every_shape(digits, tmp_path, monkeypatch, name):
    """Clips come in the numbers and shapes of the schedule, each of them twice; labels are mixed."""
    cfg = small(name, digits, tmp_path)
    labels = record_labels(monkeypatch)
    shapes = {(2 * shape.batch_factor, *shape[1:])
              for stage in multigrid_schedule(cfg)[0].stages for shape in stage.shapes}
    runner, records = train(cfg)
    assert {(record['batch'], record['frames'], record['crop']) for record in records} == shapes
    assert [len(batch) for batch in labels] == [record['batch'] for record in records]
    assert all(batch.shape[1] == 400 for batch in labels)
    assert any(((batch > 0) & (batch < 1)).any() for batch in labels)  # two clips' classes
    assert all(torch.isfinite(value).all() for value in runner.model.state_dict().values())
    assert runner.model.backbone.blocks[-1].drop_path.drop_prob > 0


def test_stock_train_script(digits, tmp_path):
    cfg = small(SCRATCH, digits, tmp_path)
    cfg.custom_hooks = []
    cfg.default_hooks.logger.interval = 1
    cfg.custom_imports = dict(imports=['mmaction_multigrid'])
    cfg.runner_type = 'MultigridRunner'
    shapes = {shape[1:] for stage in multigrid_schedule(cfg)[0].stages
              for shape in stage.shapes}
    cfg.dump(tmp_path / 'config.py')
    run(STOCK_TOOLS / 'train.py', tmp_path / 'config.py')
    assert shapes == {
        (entry['multigrid/num_frames'], entry['multigrid/crop_size'])
        for entry in scalars(tmp_path)}


def test_layers_keep_their_share_of_the_lr(digits, tmp_path):
    """Layer-wise decay: the groups' ratios are those of the stock run, whatever the batch does to the lr."""
    runner, _ = train(small(FINE_TUNED, digits, tmp_path))
    groups = runner.optim_wrapper.param_groups
    assert len({group['initial_lr'] for group in groups}) > 3
    factor = groups[0]['lr'] / groups[0]['initial_lr']
    assert [group['lr'] / group['initial_lr'] for group in groups] == pytest.approx([factor] * len(groups))


@pytest.mark.parametrize('workers', [0, 2])
def test_resumed_is_straight(digits, tmp_path, workers):
    """Repeated and mixed clips, erased boxes, dropped paths and averaged weights are the same again."""
    _, straight = train(small(SCRATCH, digits, tmp_path / 'straight', workers))
    assert len(straight) > 4
    assert interrupted(small(SCRATCH, digits, tmp_path / 'run', workers), 2) == straight
    assert_equal_weights(tmp_path / 'straight', tmp_path / 'run')
