"""Train a transformer, compiled too."""

import pytest
import torch
from mmaction_multigrid.models.positions import InterpolatedPosEmbed

from ..engine.test_training import last_weights, train
from ..toy import base_config
from .test_compile import (  # noqa: F401  registers the backend 'counted'
    _clean_dynamo, calls, compiled)


def transformer(work_dir, **settings):
    """Return a config with 8 frames of 16 pixels, in patches of 4."""
    cfg = base_config(work_dir, **settings)
    cfg.model.backbone = dict(
        type='TimeSformer',
        num_frames=8,
        img_size=16,
        patch_size=4,
        embed_dims=8,
        num_heads=2,
        num_transformer_layers=1,
        dropout_ratio=0.1)
    cfg.model.cls_head = dict(
        type='TimeSformerHead',
        num_classes=2,
        in_channels=8,
        average_clips='prob')
    cfg.optim_wrapper = dict(
        optimizer=dict(type='AdamW', lr=0.001, weight_decay=0.05),
        paramwise_cfg=dict(custom_keys={
            'pos_embed': dict(decay_mult=0.),
            'backbone.norm': dict(lr_mult=0.1)
        }))
    return cfg


def test_every_shape_is_of_whole_patches(tmp_path):
    runner, records = train(transformer(tmp_path))
    assert {(record['frames'], record['crop'])
            for record in records} == {(frames, crop)
                                       for frames in (2, 4, 8)
                                       for crop in (8, 12, 16)} - {(2, 16)}
    assert isinstance(runner.model.backbone, InterpolatedPosEmbed)
    log = next(tmp_path.rglob('*.log')).read_text()
    assert "lr_scaling = 'sqrt'" in log


@pytest.mark.filterwarnings(
    'ignore:The .grad attribute'
)  # of dynamo, where mmcv's loop over layers breaks a graph
@pytest.mark.usefixtures('_clean_dynamo')
def test_compiled(tmp_path):
    """Each shape has a graph, with the tables of its tokens."""
    few = dict(
        max_epochs=2,
        milestones=(1, ),
        stages=[dict(epochs=1, num_frames=4, crop_size=8),
                dict(epochs=1)])
    train(transformer(tmp_path / 'eager', **few))
    cfg = transformer(tmp_path / 'compiled', **few)
    cfg.compile = dict(backend='counted')
    _, records = train(cfg)
    assert len(compiled) >= len(
        {(record['frames'], record['crop'], record['batch'])
         for record in records})
    assert calls
    torch.testing.assert_close(
        last_weights(tmp_path / 'compiled'),
        last_weights(tmp_path / 'eager'),
        rtol=1e-4,
        atol=1e-5)
