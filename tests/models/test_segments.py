"""Check 2D networks that take any number of segments."""

import copy

import numpy as np
import pytest
import torch
from mmaction_multigrid.core.dataset import ClipShape, clip_shape
from mmaction_multigrid.core.transforms import MultigridTransform
from mmaction_multigrid.models.positions import interpolate_pos_embeds
from mmengine.registry import init_default_scope

from mmaction.registry import MODELS, TRANSFORMS

NON_LOCAL = dict(
    non_local=((0, 0), (1, 0), (0, 0), (0, 0)),
    non_local_cfg=dict(sub_sample=True, mode='embedded_gaussian'))
NETWORKS = dict(
    tsm=(dict(type='ResNetTSM', depth=18, shift_div=8), 512, {}),
    half=(dict(type='ResNetTSM', depth=18,
               temporal_pool=True), 512, dict(temporal_pool=True)),
    non_local=(dict(type='ResNetTSM', depth=50, **NON_LOCAL), 2048, {}),
    mobilenet=(dict(type='MobileNetV2TSM', widen_factor=0.25), 1280, {}))


def build(name, segments=8):
    """Build a recognizer of two classes for a number of segments."""
    init_default_scope('mmaction')
    backbone, channels, head = NETWORKS[name]
    return MODELS.build(
        dict(
            type='Recognizer2D',
            backbone=dict(backbone, num_segments=segments, pretrained=None),
            cls_head=dict(
                type='TSMHead',
                num_classes=2,
                in_channels=channels,
                num_segments=segments,
                dropout_ratio=0.,
                **head)))


def images(segments, crops=1):
    """Return images of two videos (N, crops x segments, 3, H, W)."""
    torch.manual_seed(1)
    return torch.randn(2, crops * segments, 3, 16, 16)


@pytest.mark.parametrize('segments', [8, 2])
@pytest.mark.parametrize('name', NETWORKS)
def test_as_a_network_that_is_built_for_the_number(name, segments):
    model, native = build(name), build(name, segments)
    native.load_state_dict(model.state_dict(), strict=True)
    assert interpolate_pos_embeds(model)
    inputs = images(segments)
    for training in (False, True):
        found, expected = (
            network.train(training)(inputs, stage='head')
            for network in (model, native))
        assert torch.equal(found, expected)
    # The next batch may have all segments again.
    assert model(images(8), stage='head').shape == (2, 2)


def test_several_crops_of_a_video_are_as_in_the_stock_network():
    stock = build('tsm').eval()
    model = copy.deepcopy(stock)
    assert interpolate_pos_embeds(model) == interpolate_pos_embeds(model)
    inputs = images(8, crops=3)
    expected = stock(inputs, stage='head')
    assert torch.equal(model(inputs, stage='head'), expected)
    assert model.state_dict().keys() == stock.state_dict().keys()


@pytest.mark.parametrize('kind', [
    dict(type='SampleFrames', frame_interval=2),
    dict(type='DenseSampleFrames', frame_interval=2),
    dict(type='SampleFrames', frame_interval=1, clip_len=5)
])
def test_segments_are_drawn_as_stock_draws_that_number(kind):
    config = dict(dict(clip_len=1, num_clips=8), **kind)
    results = dict(total_frames=200, start_index=1)
    ours = MultigridTransform(config, segments=True)
    for segments in (2, 4, 8):
        stock = TRANSFORMS.build(dict(config, num_clips=segments))
        np.random.seed(3)
        expected = stock(dict(results))
        np.random.seed(3)
        with clip_shape(ClipShape(segments, 112, 8, 224)):
            found = ours(dict(results))
        assert found['num_clips'] == segments
        assert np.array_equal(found['frame_inds'], expected['frame_inds'])
