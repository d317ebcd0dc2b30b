"""The labels of a part of a video."""

import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..core.transform_rules import register_transform_rule


@TRANSFORMS.register_module()
class LabelSampledActions(BaseTransform):
    """Replaces a video's label by the actions that overlap the span from the first to the last sampled frame.

    Belongs behind the transform that samples frames, in training only: a video is tested on all of its actions.
    A span without an action has a label without a class.

    Required Keys: frame_inds, start_index, total_frames, length, actions, label. Modified Keys: label.
    """

    def transform(self, results: dict) -> dict:
        """Find the actions of the sampled span."""
        seconds = results['length'] / results['total_frames']
        frames = results['frame_inds'] - results.get('start_index', 0)
        first, last = frames.min() * seconds, (frames.max() + 1) * seconds
        label = torch.zeros_like(results['label'])
        for action, begin, end in results['actions']:
            if begin < last and end >= first:
                label[action] = 1
        results['label'] = label
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


register_transform_rule('LabelSampledActions')
