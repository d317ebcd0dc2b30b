"""Read and write the records of the study, one line of JSON a run.

Imported by the other files of tools/study. A record says what was run (data,
model, variant, conditions, seed), the commit and the machine, and has one
point for each validation: epoch, iterations, top-1 in percent, and seconds of
CPU time of training and of loading until then, without validation. The records
of gpu.jsonl have measured steps instead; their model is a config, their
variant a precision.
"""

import fcntl
import json
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import mean
from typing import Dict, List, Optional, Tuple


class NoRecord(ValueError):
    """There is no record of a run."""


class Runs:
    """The runs of one variant on one dataset, one of each seed.

    Args:
        records (List[dict]): Their records.
    """

    def __init__(self, records: List[dict]) -> None:
        self.records = records

    def ends(self, key: str) -> List[float]:
        """Return a value at the end of training for each seed.

        Raises:
            NoRecord: There are no runs.
        """
        if not self.records:
            raise NoRecord('there is no record of it or of its baseline')
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


# Runs by data, model, variant and conditions.
Groups = Dict[Tuple[str, str, str, tuple], Runs]


def key_of(record: dict) -> Tuple[str, str, str, tuple]:
    """Return what the runs of different seeds have in common."""
    return (record['data'], record['model'], record['variant'],
            tuple(sorted(record['conditions'].items())))


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
    found: Dict[tuple, Dict[int, dict]] = {}
    for path in sorted(folder.glob('*.jsonl')):
        for record in read_lines(path):
            found.setdefault(key_of(record), {})[record['seed']] = record
    return {key: Runs([*seeds.values()]) for key, seeds in found.items()}


def select(groups: Groups, names: List[str],
           conditions: Dict[str, float]) -> Groups:
    """Return the runs whose names match patterns such as ``i3d*``.

    Args:
        groups (Groups): Runs to select from.
        names (List[str]): Patterns of data, model and variant.
        conditions (Dict[str, float]): Conditions of the runs; ``seed``
            selects one seed of them.
    """
    wanted = {key: n for key, n in conditions.items() if key != 'seed'}
    return {
        key: Runs([
            record for record in runs.records
            if conditions.get('seed') in (None, record['seed'])
        ])
        for key, runs in groups.items()
        if dict(key[3]) == wanted and all(map(fnmatchcase, key, names))
    }


def get(groups: Groups, data: str, model: str, variant: str,
        conditions: Dict[str, float]) -> Runs:
    """Return the runs of one variant; without a record an empty one."""
    return next(
        iter(select(groups, [data, model, variant], conditions).values()),
        Runs([]))


def append(path: Path, record: dict) -> None:
    """Append a record to a file that other processes may append to, too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
        file.write(json.dumps(record, separators=(',', ':')) + '\n')
