"""Build a network, its optimizer and random clips to measure steps with."""

from typing import Any, Mapping, Optional, Sequence

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn

from mmaction.registry import MODELS
from ..core.transform_rules import type_name
from ..models.input_sizes import input_channels

# Last steps of a train pipeline, if the config's own are not given.
FORMAT = [
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]


def without_weights(config: Any) -> Any:
    """Remove the files of initial weights from a model's config."""
    if isinstance(config, dict):
        return {
            key: None if key == 'pretrained' else without_weights(value)
            for key, value in config.items() if key != 'init_cfg'
        }
    if isinstance(config, (list, tuple)):
        return type(config)(map(without_weights, config))
    return config


def build_model(config: dict) -> nn.Module:
    """Build a recognizer or detector with random weights, without a download.

    Args:
        config (dict): ``model`` of a config.

    Raises:
        ValueError: The model is neither of both.
    """
    if not {'cls_head', 'roi_head'} & set(config):
        raise ValueError(f'model.type = {type_name(config.get("type"))!r}: '
                         'can be measured with a cls_head or a roi_head only')
    # mmdet reads the attributes of configs.
    return MODELS.build(ConfigDict(without_weights(config)))


def build_optimizer(model: nn.Module, config: Optional[dict],
                    device: str) -> OptimWrapper:
    """Build the optimizer wrapper of a config with an lr of 0.

    Args:
        model (nn.Module): The network.
        config (dict, optional): ``optim_wrapper`` of a config. None means
            plain SGD.
        device (str): Device of the network.
    """
    # Accumulated gradients would leave some steps without an optimizer step.
    # mmengine's AmpOptimWrapper, with its arguments, refuses CPUs.
    left_out = ('accumulative_counts', ) if device != 'cpu' else (
        'accumulative_counts', 'type', 'loss_scale', 'dtype', 'use_fsdp')
    config = config or dict(optimizer=dict(type='SGD', lr=0.))
    wrapper = build_optim_wrapper(
        model,
        {key: value
         for key, value in config.items() if key not in left_out})
    # Random weights and labels must not diverge into NaN.
    for group in wrapper.param_groups:
        group['lr'] = 0.
    return wrapper


class RandomClips:
    """Batches of noise in the format of a train pipeline.

    Args:
        model (nn.Module): The recognizer, or a detector, whose clips have
            one box each.
        pipeline (Sequence[dict]): Train pipeline of its config, of which the
            transforms that sample, format and pack clips are used. An empty
            one means the format of a 3D network.
    """

    def __init__(self, model: nn.Module, pipeline: Sequence[Mapping]) -> None:
        steps = {type_name(step.get('type')): step for step in pipeline}
        self.heatmaps = steps.get('GeneratePoseTarget')
        self.format = Compose(
            [steps.get(step['type'], step) for step in FORMAT])
        self.detects = hasattr(model, 'roi_head')
        self.head = (
            model.roi_head.bbox_head if self.detects else model.cls_head)
        self.channels = input_channels(model)

    def batch(self, clips: int, num_frames: int, crop_size: int) -> dict:
        """Make a batch with random labels.

        Args:
            clips (int): Clips in the batch.
            num_frames (int): Frames of a clip.
            crop_size (int): Height and width in pixels.
        """
        return pseudo_collate(
            [self._clip(num_frames, crop_size) for _ in range(clips)])

    def _clip(self, num_frames: int, crop_size: int) -> dict:
        classes = self.head.num_classes
        # Class 0 of a detector is the background, which has no loss.
        label = torch.randint(int(self.detects), classes, (1, ))
        if getattr(self.head, 'multi_class', False):
            label = nn.functional.one_hot(label[0], classes).float()
        shape, kind = (crop_size, crop_size, self.channels), 'uint8'
        # PoseC3D draws its heatmaps at a share of the crop.
        if self.heatmaps:
            edge = int(crop_size * self.heatmaps.get('scaling', 1.) + 0.5)
            shape, kind = (self.channels, edge, edge), 'float32'
        images = np.random.randint(256, size=(num_frames, *shape)).astype(kind)
        clip = dict(imgs=images, num_clips=1, clip_len=num_frames, label=label)
        if self.detects:
            box = np.float32([[0, 0, crop_size, crop_size]])
            clip.update(
                gt_bboxes=box,
                proposals=box,
                gt_labels=nn.functional.one_hot(label, classes).float())
        return self.format(clip)
