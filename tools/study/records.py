"""Read the records of tools/study/run.py, and average them over seeds."""

import json
from pathlib import Path
from statistics import mean
from typing import Dict, List, Optional


class Runs:
    """The finished runs of one variant on one model, dataset and conditions.

    Args:
        records (List[dict]): Their records.
    """

    def __init__(self, records: List[dict]) -> None:
        self.records = sorted(records, key=lambda record: record['seed'])

    def mean(self, key: str) -> float:
        """Average a value at the end over the seeds."""
        return mean(record['points'][-1][key] for record in self.records)

    def spread(self, key: str, form: str = '{:.1f}') -> str:
        """Format the mean and the range of a value at the end."""
        values = [record['points'][-1][key] for record in self.records]
        text = form.format(mean(values))
        if len(values) > 1:
            text += f' ({form.format(min(values))} to '
            text += f'{form.format(max(values))})'
        return text

    def first(self, top1: float, key: str) -> Optional[float]:
        """Average a value where the seeds' mean accuracy is reached."""
        for points in zip(*(record['points'] for record in self.records)):
            if mean(point['top1'] for point in points) >= top1:
                return mean(point[key] for point in points)
        return None

    def beside(self, other: 'Runs') -> 'Runs':
        """Select the seeds that the other has, too, for times.

        Times of different hours of one machine do not compare. Where some ran
        alone on the machine, only their times are their own.
        """

        def seeds(runs: Runs, alone: bool) -> set:
            return {
                record['seed']
                for record in runs.records if record.get('alone') or not alone
            }

        alone = bool(seeds(self, True) or seeds(other, True))
        both = seeds(self, alone) & seeds(other, alone)
        return Runs(
            [record for record in self.records if record['seed'] in both])

    def seconds_to(self, top1: float) -> str:
        """Format the mean time to the first validation of an accuracy."""
        reached = [
            next((point['seconds']
                  for point in record['points'] if point['top1'] >= top1),
                 None) for record in self.records
        ]
        return 'not reached' if None in reached else f'{mean(reached):.0f}'


Groups = Dict[tuple, Runs]


def read(folder: Path) -> Groups:
    """Read finished runs by (model, data, variant, conditions)."""
    groups: Dict[tuple, List[dict]] = {}
    for path in sorted(folder.glob('*.json')):
        record = json.loads(path.read_text())
        conditions = dict(record['conditions'])
        if record.get('gpu'):
            conditions['gpu'] = 1.
        if record['finished']:
            key = (record['model'], record['data'], record['variant'],
                   tuple(sorted(conditions.items())))
            groups.setdefault(key, []).append(record)
    return {key: Runs(records) for key, records in groups.items()}
