"""Read and write the records of the study, one JSON line a run.

Imported by tools/study/run.py, figures.py, tables.py and plots.py. A record
holds what was run (data, model, variant, conditions, seed), on which machine,
and one point for each validation: epoch, iterations, top-1 in percent, and
seconds of training until then, without validation.
"""

import fcntl
import json
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import mean
from typing import Dict, List, Optional, Tuple

# Data, model, variant, conditions.
Key = Tuple[str, str, str, tuple]


class Runs:
    """The runs of one variant on one dataset, over their seeds.

    Args:
        records (List[dict]): Their records.
    """

    def __init__(self, records: List[dict]) -> None:
        self.records = sorted(records, key=lambda record: record['seed'])

    def ends(self, key: str) -> List[float]:
        """Return a value at the end of training for each seed."""
        return [record['points'][-1][key] for record in self.records]

    def mean(self, key: str) -> float:
        """Return the mean over the seeds of a value at the end."""
        return mean(self.ends(key))

    def first(self, top1: float, key: str) -> Optional[float]:
        """Return a value where the seeds' mean accuracy reaches ``top1``."""
        for points in zip(*(record['points'] for record in self.records)):
            if mean(point['top1'] for point in points) >= top1:
                return mean(point[key] for point in points)
        return None

    def comparable(self, other: 'Runs') -> 'Runs':
        """Select the runs whose wall-clock compares with another's.

        Wall-clock depends on the load of the machine: the seeds that both
        have ran at about the same time, and where some ran alone on the
        machine, only those count.
        """
        alone = any(record.get('alone')
                    for record in self.records + other.records)
        mine, theirs = (
            [r for r in runs.records if r.get('alone', False) or not alone]
            for runs in (self, other))
        seeds = {record['seed'] for record in theirs}
        return Runs([record for record in mine if record['seed'] in seeds])


Groups = Dict[Key, Runs]


def key_of(record: dict) -> Key:
    """Return what the seeds of a run have in common."""
    conditions = {**record['conditions']}
    if record.get('gpu'):
        conditions['gpu'] = 1
    return (record['data'], record['model'], record['variant'],
            tuple(sorted(conditions.items())))


def read_lines(path: Path) -> List[dict]:
    """Return the records of a file.

    Raises:
        ValueError: A line is not JSON.
    """
    records = []
    for i, line in enumerate(path.read_text().splitlines(), 1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f'{path}, line {i}: is not a JSON record; remove '
                             'the line and train that run again') from error
    return records


def read(folder: Path) -> Groups:
    """Return the runs of all record files in a folder."""
    found: Dict[Key, Dict[int, dict]] = {}
    for path in sorted(folder.glob('*.jsonl')):
        for record in read_lines(path):
            if 'points' in record:  # gpu.jsonl holds none
                found.setdefault(key_of(record),
                                 {})[record['seed']] = record
    return {key: Runs([*seeds.values()]) for key, seeds in found.items()}


def select(groups: Groups, data: str, model: str, variant: str,
           conditions: Dict[str, float]) -> Groups:
    """Return the runs whose names match patterns such as ``i3d*``.

    Conditions have to be equal, except for ``seed``, which selects a seed.
    """
    seed = conditions.get('seed')
    wanted = {key: n for key, n in conditions.items() if key != 'seed'}
    found = {}
    for key, runs in groups.items():
        records = [
            record for record in runs.records
            if seed in (None, record['seed'])
        ]
        if records and dict(key[3]) == wanted and all(
                map(fnmatchcase, key[:3], (data, model, variant))):
            found[key] = Runs(records)
    return found


def get(groups: Groups, data: str, model: str, variant: str,
        conditions: Dict[str, float]) -> Optional[Runs]:
    """Return the runs of one variant, or None."""
    return next(
        iter(select(groups, data, model, variant, conditions).values()), None)


def baseline(groups: Groups, data: str, model: str,
             conditions: Dict[str, float]) -> Optional[Runs]:
    """Return the whole baseline under the conditions, or None."""
    whole = {key: n for key, n in conditions.items() if key != 'budget'}
    return get(groups, data, model, 'baseline', whole)


def append(path: Path, record: dict) -> None:
    """Append a record to a file that other processes may append to, too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
        file.write(json.dumps(record, separators=(',', ':')) + '\n')
