"""Checks of the class numbers in annotation lists."""

import os.path as osp
from typing import Any, Mapping

from mmengine.dataset import BaseDataset

from ..core.transform_rules import transform_name

IGNORED = -100  # cross-entropy leaves such a clip out
# Packages whose transforms leave a label as the list has it.
STOCK = {'mmaction', 'mmcv', 'mmaction_multigrid'}


def check_label_columns(config: Mapping) -> None:
    """Look for the first line of a list that has no class number.

    Args:
        config: Of one dataset; others than ``VideoDataset`` and
            ``RawframeDataset`` are left alone.

    Raises:
        ValueError: There is one.
    """
    name = config.get('ann_file')
    kind = transform_name(config)
    if kind not in ('VideoDataset', 'RawframeDataset'):
        return
    path = osp.join(config.get('data_root') or '', name or '')
    if not osp.isfile(path):
        return
    with open(path, encoding='utf-8', errors='replace') as file:
        for number, line in enumerate(file, 1):
            parts = line.strip().split(config.get('delimiter'))
            if not all(part.lstrip('+-').isdigit() for part in parts[1:]):
                raise ValueError(
                    f'{kind}.ann_file = {name!r}, line {number}: '
                    f'{line.strip()!r} must be a name and integers; a name '
                    'with spaces needs another VideoDataset.delimiter')


def check_classes(dataset: Any, num_classes: int, key: str) -> None:
    """Look for a clip whose class is none of those that there are.

    Args:
        dataset: One with clips of its own.
        num_classes: Number of classes.
        key: Where that number is from.

    Raises:
        ValueError: There is one.
    """
    for index in range(len(dataset)):
        # Not its own method, which fails at a class that it has not.
        info = BaseDataset.get_data_info(dataset, index)
        labels = info.get('label')
        for label in labels if isinstance(labels, list) else [labels]:
            if isinstance(label, int) and not 0 <= label < num_classes:
                if label == IGNORED and labels == label:
                    continue
                clip = info.get('filename') or info.get('frame_dir')
                raise ValueError(
                    f'{type(dataset).__name__}.ann_file = '
                    f'{dataset.ann_file!r}: {clip or f"clip {index}"} has '
                    f'class {label}, but {key} = {num_classes} allows 0 to '
                    f'{num_classes - 1}; mend the list or that number')


def keeps_labels(dataset: Any) -> bool:
    """Whether the classes that the head sees are those of the list."""
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', [])
    return isinstance(dataset, BaseDataset) and STOCK.issuperset(
        type(getattr(step, 'base', step)).__module__.split('.')[0]
        for step in steps)
