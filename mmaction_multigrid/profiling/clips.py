"""Made-up clips, in the form in which a train pipeline hands them on."""

from typing import Any, Mapping, Sequence

import torch
from mmaction.registry import TRANSFORMS
from mmengine.dataset import pseudo_collate
from torch import nn

from ..schedule import type_name

FORMAT = [dict(type='FormatShape', input_format='NCTHW'),
          dict(type='PackActionInputs')]


class MadeUpClips:
    """Batches of noise as the train pipeline of a config yields them.

    Args:
        config (dict): ``model`` of the config.
        pipeline (Sequence[dict]): The train pipeline; what samples, formats
            and packs clips counts. Empty: that of a 3D network.
    """

    def __init__(self, config: Mapping, pipeline: Sequence[Mapping]) -> None:
        steps = {type_name(step.get('type')): step for step in pipeline}
        sampler = next((step for step in pipeline if 'clip_len' in step), {})
        self.num_clips = sampler.get('num_clips', 1)
        self.clip_len = sampler.get('clip_len')
        self.heatmaps = steps.get('GeneratePoseTarget')
        self.transforms = [
            TRANSFORMS.build(steps.get(step['type'], step)) for step in FORMAT
        ]
        mean = (config.get('data_preprocessor') or {}).get('mean')
        backbone = config['backbone']
        self.channels = len(mean or ()) or backbone.get('in_channels', 3)
        self.joints = backbone.get('pose_pathway',
                                   backbone).get('in_channels', 17)

    def batch(self, head: nn.Module, clips: int, num_frames: int,
              crop_size: int) -> dict:
        """Make a batch with random labels.

        Args:
            head: The network's ``cls_head``.
            clips: Clips in the batch.
            num_frames: Frames of a clip; of several modalities the most.
            crop_size: Pixels.
        """
        return pseudo_collate([self._clip(head, num_frames, crop_size)
                               for _ in range(clips)])

    def _clip(self, head: nn.Module, num_frames: int, crop_size: int) -> dict:
        lengths, frames = num_frames, dict(imgs=num_frames)
        if isinstance(self.clip_len, Mapping):  # colours and key points
            ratio = num_frames / max(self.clip_len.values())
            lengths = {key: max(1, round(value * ratio))
                       for key, value in self.clip_len.items()}
            frames = dict(imgs=lengths['RGB'], heatmap_imgs=lengths['Pose'])
        clip = dict(num_clips=self.num_clips, clip_len=lengths,
                    label=random_label(head))
        for key, count in frames.items():
            if self.heatmaps and key == list(frames)[-1]:
                side = int(crop_size * self.heatmaps.get('scaling', 1.) + 0.5)
                clip[key] = self._noise(count, self.joints, side, side)
                clip[key] = clip[key].astype('float32')
            else:  # colours last in memory, as decoders leave them
                clip[key] = self._noise(count, crop_size, crop_size,
                                        self.channels)
        for transform in self.transforms:
            clip = transform(clip)
        return clip

    def _noise(self, frames: int, *shape: int) -> Any:
        size = (self.num_clips * frames, *shape)
        return torch.randint(256, size, dtype=torch.uint8).numpy()


def random_label(head: nn.Module) -> Any:
    """A label as data sets yield it: a class, or a one-hot vector."""
    label = torch.randint(head.num_classes, (1, ))
    if getattr(head, 'multi_class', False):
        return nn.functional.one_hot(label[0], head.num_classes).float()
    return label
