"""Charades, which MMAction2 lacks: dataset, labels, multi-label heads.

The package does not import it. A config does, by ``custom_imports =
dict(imports=['mmaction_multigrid', 'mmaction_multigrid.charades'])``.
"""

import csv
import re
from os import path as osp
from typing import Any, List, Tuple

import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from mmaction.datasets.base import BaseActionDataset
from mmaction.models.heads import I3DHead, SlowFastHead
from mmaction.registry import DATASETS, MODELS, TRANSFORMS
from .core.transform_rules import register_transform_rule

COLUMNS = ('id', 'actions', 'length')
NUMBER = r'(\d+(?:\.\d*)?)'
ACTION = rf'\s*c(\d+) {NUMBER} {NUMBER}\s*'  # class, begin and end in seconds


@DATASETS.register_module()
class CharadesDataset(BaseActionDataset):
    """Dataset of videos with several timed actions each.

    It is that of Sigurdsson et al., ECCV 2016. The label of a clip is a 0/1
    tensor of shape (num_classes, ): the actions of the whole video or, after
    :class:`LabelSampledActions`, those of the sampled span. ``ann_file`` is
    ``Charades_v1_train.csv`` or ``Charades_v1_test.csv`` and ``data_prefix``
    ``dict(video=FOLDER)`` of ``ID.mp4`` files.

    Args:
        *args (Any): As for ``BaseActionDataset``.
        num_classes (int): Number of classes. Defaults to 157.
        **kwargs (Any): As for ``BaseActionDataset``.

    Raises:
        ValueError: A row is broken; the message names the file, the line and
            what is wrong.
    """

    def __init__(self,
                 *args: Any,
                 num_classes: int = 157,
                 **kwargs: Any) -> None:
        super().__init__(
            *args, multi_class=True, num_classes=num_classes, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Read the annotation file."""
        # utf-8-sig: spreadsheets write a byte-order mark, which would become
        # part of the first column's name.
        with open(self.ann_file, newline='', encoding='utf-8-sig') as file:
            rows = csv.DictReader(file)
            return [
                self._read(row, f'{self.ann_file}, line {rows.line_num}')
                for row in rows
            ]

    def _read(self, row: dict, where: str) -> dict:
        # csv fills the missing columns of a short row with None.
        name, actions, length = map(row.get, COLUMNS)
        if None in (name, actions, length):
            raise ValueError(
                f'{where}: must have the columns {", ".join(COLUMNS)}')
        if not re.fullmatch(NUMBER, length) or not float(length):
            raise ValueError(f'{where}: length = {length!r} must '
                             'be a number of seconds above 0')
        timed = [
            self._read_action(entry, where) for entry in actions.split(';')
            if entry.strip()
        ]
        return dict(
            filename=osp.join(self.data_prefix['video'], f'{name}.mp4'),
            actions=timed,
            length=float(length),
            label=sorted({action
                          for action, _, _ in timed}))

    def _read_action(self, text: str, where: str) -> Tuple[int, float, float]:
        found = re.fullmatch(ACTION, text)
        if found:
            action, begin, end = int(found[1]), *map(float, found.groups()[1:])
            if action < self.num_classes and begin <= end:
                return action, begin, end
        raise ValueError(f'{where}: actions holds {text!r}, which must be as '
                         "'c092 11.90 21.20': a class of c000 to "
                         f'c{self.num_classes - 1:03d}, its begin and its end')


@TRANSFORMS.register_module()
class LabelSampledActions(BaseTransform):
    """Replace the label of a video by the actions of the sampled span.

    The span is that from the first to the last sampled frame. Without an
    action in it the label is 0 for all classes. Put this transform behind the
    one that samples frames, in the train pipeline only: tests use all actions
    of a video.

    Required Keys:

        - frame_inds
        - start_index
        - total_frames
        - length
        - actions
        - label

    Modified Keys:

        - label
    """

    def transform(self, results: dict) -> dict:
        """Find the actions of the sampled span.

        Args:
            results (dict): The result dict.

        Returns:
            dict: The result dict.
        """
        # Annotations are in seconds, and the rate of a file may be unknown.
        seconds = results['length'] / results['total_frames']
        frames = results['frame_inds'] - results.get('start_index', 0)
        first, last = frames.min() * seconds, (frames.max() + 1) * seconds
        label = torch.zeros_like(results['label'])
        for action, begin, end in results['actions']:
            if begin < last and end >= first:
                label[action] = 1
        results['label'] = label
        return results


register_transform_rule('LabelSampledActions')


class _MultiLabel:
    """Binary cross-entropy of each class, and the maximum over all views."""

    def __init__(self, *args, **kwargs) -> None:
        defaults = dict(
            loss_cls=dict(type='BCELossWithLogits'), multi_class=True)
        super().__init__(*args, **{**defaults, **kwargs})

    def average_clip(self, cls_scores: Tensor, num_segs: int = 1) -> Tensor:
        """Merge the views of each video, as the reference tests Charades.

        Args:
            cls_scores (Tensor): Logits of shape (N * num_segs, classes).
            num_segs (int): Views of a video. Defaults to 1.

        Returns:
            Tensor: Probabilities of shape (N, classes).
        """
        # In float32, because the sigmoid saturates in half precision.
        return cls_scores.float().sigmoid().view(-1, num_segs,
                                                 cls_scores.size(-1)).amax(1)


@MODELS.register_module()
class MultiLabelSlowFastHead(_MultiLabel, SlowFastHead):
    """``SlowFastHead`` for several labels per clip, of the same parameters.

    The loss is the binary cross-entropy of each class. In tests, the
    probability of a class is the largest one of all views. Args: as for
    ``SlowFastHead``.
    """


@MODELS.register_module()
class MultiLabelI3DHead(_MultiLabel, I3DHead):
    """``I3DHead`` for several labels per clip, of the same parameters.

    The loss is the binary cross-entropy of each class. In tests, the
    probability of a class is the largest one of all views. Args: as for
    ``I3DHead``.
    """
