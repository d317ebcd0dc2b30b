"""Configs in which types are classes and not names."""

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmaction_multigrid import apply_multigrid

from ..toy import RecordHook, base_config, new_name

TEXT = """
from mmaction.datasets import CenterCrop, FormatShape, PackActionInputs, RandomCrop, Resize, SampleFrames
from mmaction.engine.hooks import VisualizationHook
from mmaction.evaluation import AccMetric
from mmaction.models import ActionDataPreprocessor, I3DHead, Recognizer3D
from mmaction.visualization import ActionVisualizer
from mmengine.dataset import DefaultSampler
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.optim.scheduler import LinearLR, MultiStepLR
from mmengine.runner import EpochBasedTrainLoop, ValLoop
from mmengine.visualization import LocalVisBackend
from torch.optim import SGD

from mmaction_multigrid import MultigridRunner
from tests.toy import RecordHook, ToyBackbone, ToyDataset, ToyDecode

pipeline = [
    dict(type=SampleFrames, clip_len=8, frame_interval=2, num_clips=1), dict(type=ToyDecode),
    dict(type=Resize, scale=(-1, 18)), dict(type=RandomCrop, size=16), dict(type=FormatShape, input_format='NCTHW'),
    dict(type=PackActionInputs, meta_keys=('img_shape', 'sample_idx'))]
val_pipeline = [
    dict(type=SampleFrames, clip_len=8, frame_interval=2, num_clips=1, test_mode=True), dict(type=ToyDecode),
    dict(type=Resize, scale=(-1, 18)), dict(type=CenterCrop, crop_size=16),
    dict(type=FormatShape, input_format='NCTHW'), dict(type=PackActionInputs, meta_keys=('img_shape', 'sample_idx'))]
runner_type = MultigridRunner
multigrid = dict(precise_bn=2)
default_scope = 'mmaction'
env_cfg = dict(dist_cfg=dict(backend='nccl'))
model = dict(
    type=Recognizer3D, backbone=dict(type=ToyBackbone),
    cls_head=dict(type=I3DHead, num_classes=2, in_channels=4, dropout_ratio=0., average_clips='prob'),
    data_preprocessor=dict(type=ActionDataPreprocessor, mean=[100.] * 3, std=[50.] * 3, format_shape='NCTHW'))
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(type=ToyDataset, num_clips=64, pipeline=pipeline, test_mode=False))
val_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=ToyDataset, num_clips=8, pipeline=val_pipeline, test_mode=True))
val_evaluator = dict(type=AccMetric)
val_cfg = dict(type=ValLoop)
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=6, val_begin=1, val_interval=1)
optim_wrapper = dict(optimizer=dict(type=SGD, lr=0.01, momentum=0.9))
param_scheduler = [
    dict(type=LinearLR, start_factor=0.1, begin=0, end=2, by_epoch=True, convert_to_iter_based=True),
    dict(type=MultiStepLR, milestones=[3, 5], gamma=0.1, by_epoch=True, begin=0, end=6)]
default_hooks = dict(checkpoint=dict(type=CheckpointHook, interval=1), logger=dict(type=LoggerHook, interval=1))
custom_hooks = [dict(type=RecordHook)]
visualizer = dict(type=ActionVisualizer, vis_backends=[dict(type=LocalVisBackend)])
randomness = dict(seed=1)
"""


@pytest.fixture
def new_style(tmp_path, monkeypatch):
    (tmp_path / 'config.py').write_text(TEXT)
    cfg = Config.fromfile(tmp_path / 'config.py')
    cfg.work_dir = str(tmp_path / 'new')
    return cfg


def test_it_trains_as_the_one_with_names(new_style, tmp_path):
    Runner.from_cfg(new_name(apply_multigrid(new_style))).train()
    records = list(RecordHook.records)
    RecordHook.records.clear()
    Runner.from_cfg(new_name(apply_multigrid(base_config(tmp_path / 'old')))).train()
    assert records == RecordHook.records


def test_the_runner_class_takes_it(new_style):
    runner = new_style.runner_type.from_cfg(new_name(new_style))
    assert runner.max_epochs == 9
