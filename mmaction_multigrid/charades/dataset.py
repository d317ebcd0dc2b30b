"""The data set, from its authors' own annotation files."""

import csv
from math import isfinite
from pathlib import Path
from typing import Any, List, Tuple

from mmaction.datasets.base import BaseActionDataset
from mmaction.registry import DATASETS

COLUMNS = ('id', 'actions', 'length')


@DATASETS.register_module()
class CharadesDataset(BaseActionDataset):
    """Charades (Sigurdsson et al., ECCV 2016): videos of several actions each, with their times.

    A clip's label is a 0/1 tensor of shape (num_classes, ): the actions of the whole video; after
    :class:`LabelSampledActions` those of the sampled span.

    Args:
        ann_file (str): ``Charades_v1_train.csv`` or ``Charades_v1_test.csv``.
        pipeline (list): The transforms.
        data_prefix (dict): ``dict(video=FOLDER)`` of ``ID.mp4`` files.
        num_classes (int): Number of classes. Defaults to 157.
        **kwargs: As for ``BaseActionDataset``.

    Raises:
        ValueError: A row is broken; the message names the file, the line and what is wrong.
    """

    def __init__(self, ann_file: str, pipeline: list, data_prefix: dict, num_classes: int = 157, **kwargs: Any) -> None:
        super().__init__(ann_file, pipeline, data_prefix, multi_class=True, num_classes=num_classes, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Read the annotation file."""
        with open(self.ann_file, newline='', encoding='utf-8-sig') as file:
            rows = csv.DictReader(file)
            missing = set(COLUMNS) - set(rows.fieldnames or ())
            if missing:
                raise ValueError(f'{self.ann_file}, line 1: the columns {", ".join(sorted(missing))} are missing')
            return [self._read(row, f'{self.ann_file}, line {rows.line_num}') for row in rows]

    def _read(self, row: dict, where: str) -> dict:
        name, text = row['id'] or '', row['actions']
        if not name or name != Path(name).name:
            raise ValueError(f'{where}: id = {name!r} must be the name of a video')
        try:
            length = float(row['length'])
        except (TypeError, ValueError):
            length = float('nan')
        if not isfinite(length) or length <= 0:
            raise ValueError(f'{where}: length = {row["length"]!r} must be a number of seconds above 0')
        if text is None:
            raise ValueError(f'{where}: the column actions is missing')
        actions = [self._read_action(entry, where) for entry in text.split(';') if entry.strip()]
        return dict(filename=str(Path(self.data_prefix['video']) / f'{name}.mp4'), actions=actions, length=length,
                    label=sorted({action for action, _, _ in actions}))

    def _read_action(self, text: str, where: str) -> Tuple[int, float, float]:
        try:
            name, begin, end = text.split()
            action, begin, end = int(name[1:]), float(begin), float(end)
        except ValueError:
            raise ValueError(f"{where}: actions holds {text!r}, which must be as 'c092 11.90 21.20'") from None
        if name[0] != 'c' or not 0 <= action < self.num_classes:
            raise ValueError(f'{where}: actions holds {text!r}, whose class must be c000 to c{self.num_classes - 1:03d}')
        if not (isfinite(begin) and isfinite(end)) or begin > end:
            raise ValueError(f'{where}: actions holds {text!r}, whose times must rise')
        return action, begin, end
