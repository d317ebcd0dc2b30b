"""Evaluate the figures that pages quote from the records of the study.

An expression is a name and what it is of:

    top1 DATA MODEL VARIANT          mean top-1 in percent: 80.0
    spread DATA MODEL VARIANT        least and largest of the seeds' top-1:
                                     78.1 to 81.9
    seeds DATA MODEL VARIANT         number of seeds: 4
    iterations DATA MODEL VARIANT    of training: 2,112
    seconds DATA MODEL VARIANT COST  mean to the end of training: 235
    speedup DATA MODEL VARIANT COST  baseline's cost divided by this: 3.1x
    share DATA MODEL VARIANT COST    this divided by the baseline's cost: 0.33
    goal DATA MODEL VARIANT          the same as speedup, in CPU time to the
                                     baseline's top-1 less half a point: 2.5x
    reached DATA MODEL VARIANT       number of variants that reach it: 2
    difference DATA MODEL VARIANT    top-1 less the baseline's: -0.7
    short DATA MODEL VARIANT         the same with the other sign: 0.7
    runs DATA                        number of runs in the records: 54
    gpu CONFIG PRECISION WHAT        forecast for Kinetics-400 on eight GPUs;
                                     WHAT is baseline or multigrid (hours:
                                     29.3) or speedup (3.0x)

COST is iterations, cpu (seconds of the training process), wall (seconds) or
data (seconds of waiting for clips). Conditions follow as ``clips=2500``, and
``seed=0`` selects a seed. The baseline is the one of the same data, model and
conditions, without ``budget``, which shortens a baseline. Names may be patterns, such as ``*`` and ``i3d*``: after ``min``,
``max`` or ``range`` an expression is evaluated for each run that matches.
"""

from fnmatch import fnmatchcase
from pathlib import Path
from statistics import mean
from typing import Dict, List, Optional, Tuple

from records import Groups, Runs, baseline, read, read_lines, select

NEAR = 0.5  # points below the baseline's end that count as its accuracy
CLIPS, GPUS = 240_000, 8  # of the forecast for Kinetics-400
COSTS = dict(
    iterations='iterations',
    cpu='cpu_seconds',
    wall='seconds',
    data='data_seconds')
FORMS = dict(
    top1='{:.1f}',
    spread='{:.1f}',
    seeds='{}',
    iterations='{:,.0f}',
    seconds='{:,.0f}',
    speedup='{:.1f}x',
    share='{:.2f}',
    goal='{:.1f}x',
    reached='{}',
    difference='{:+.1f}',
    short='{:.1f}',
    runs='{}')
GPU_FORMS = dict(baseline='{:.1f}', multigrid='{:.1f}', speedup='{:.1f}x')


class Records:
    """All records in a folder.

    Args:
        folder (Path): Folder of ``*.jsonl``.
    """

    def __init__(self, folder: Path) -> None:
        gpus = folder / 'gpu.jsonl'
        self.groups = read(folder)
        self.gpus = read_lines(gpus) if gpus.exists() else []


def costs(runs: Runs, base: Runs, name: str) -> Tuple[float, float]:
    """Return the mean costs of a variant and of its baseline.

    Raises:
        ValueError: There is no such cost, or the runs do not compare.
    """
    if name not in COSTS:
        raise ValueError(f'{name!r} is not a cost: allowed are '
                         f'{", ".join(COSTS)}')
    if name in ('wall', 'data'):
        runs, base = runs.comparable(base), base.comparable(runs)
        if not runs.records:
            raise ValueError('their wall-clock times do not compare: either '
                             'no seed is common, or one ran alone')
    return runs.mean(COSTS[name]), base.mean(COSTS[name])


def difference(runs: Runs, base: Runs) -> float:
    """Return top-1 less the baseline's, without a negative zero."""
    return round(runs.mean('top1') - base.mean('top1'), 1) + 0.


def goal_times(runs: Runs, base: Runs) -> List[Optional[float]]:
    """Return CPU times to the baseline's accuracy less half a point.

    Returns:
        list: Seconds of the variant and of the baseline, None where the goal
        is not reached. Of the demo it is wall-clock, which alone it logs.
    """
    if base.records[0]['data'] == 'demo':
        times = [[record.get('seconds_to_goal') for record in each.records]
                 for each in (runs, base)]
        return [None if None in each else mean(each) for each in times]
    goal = base.mean('top1') - NEAR
    return [each.first(goal, 'cpu_seconds') for each in (runs, base)]


def forecast(record: dict) -> Dict[str, float]:
    """Forecast training on Kinetics-400 from the measured times of steps.

    A step lasts as long as its computing or as the loading of its clips,
    whichever is longer, where loading was measured.

    Returns:
        dict: Hours of ``baseline`` and ``multigrid``, and the ``speedup``.
    """
    steps = {(step['clips'], step['frames'], step['crop']): step
             for step in record['steps']}

    def hours(epochs: int, shapes: List[list]) -> float:
        cycle = [steps[tuple(shape)] for shape in shapes]
        seconds = max(
            sum(step['seconds'] for step in cycle),
            sum(step['clips'] / step.get('loaded_per_second', float('inf'))
                for step in cycle))
        clips = sum(step['clips'] for step in cycle)
        return epochs * CLIPS / GPUS / clips * seconds / 3600

    base = hours(record['base_epochs'], record['stages'][-1][1][-1:])
    ours = sum(hours(*stage) for stage in record['stages'])
    return dict(baseline=base, multigrid=ours, speedup=base / ours)


def value(name: str, runs: Runs, base: Optional[Runs], *cost: str) -> float:
    """Return the value of an expression for one variant.

    Raises:
        ValueError: There is none.
    """
    if name == 'top1':
        return runs.mean('top1')
    if name == 'seeds':
        return len(runs.records)
    if name == 'iterations':
        return runs.mean('iterations')
    if name == 'seconds' and cost[0] in COSTS:
        return runs.mean(COSTS[cost[0]])
    if not base:
        raise ValueError('there is no record of its baseline')
    if name in ('difference', 'short'):
        return difference(runs, base) * (1 if name == 'difference' else -1)
    if name == 'reached':
        return goal_times(runs, base)[0] is not None
    if name == 'goal':
        ours, theirs = goal_times(runs, base)
        if ours is None:
            raise ValueError('the goal is not reached')
    else:
        ours, theirs = costs(runs, base, *cost)
    return ours / theirs if name == 'share' else theirs / ours


def values(groups: Groups, name: str, words: List[str]) -> List[float]:
    """Return the values of an expression for all variants that match.

    Raises:
        ValueError: There are none.
    """
    conditions = {}
    for word in [word for word in words if '=' in word]:
        key, _, number = word.partition('=')
        conditions[key] = float(number)
    words = [word for word in words if '=' not in word]
    if name == 'runs' and len(words) == 1:
        return [
            sum(
                len(runs.records) for key, runs in groups.items()
                if fnmatchcase(key[0], words[0]))
        ]
    takes = 3 + (name in ('seconds', 'speedup', 'share'))
    if len(words) != takes:
        raise ValueError('takes DATA MODEL VARIANT' + ' COST' * (takes - 3))
    found = []
    for key, runs in select(groups, *words[:3], conditions).items():
        if name == 'spread':
            found += runs.ends('top1')
            continue
        base = baseline(groups, *key[:2], conditions)
        found.append(value(name, runs, base, *words[3:]))
    return [sum(found)] if name == 'reached' else found


def figure(records: Records, expression: str) -> str:
    """Return the text of an expression.

    Raises:
        ValueError: The expression is unknown, or there is no record of it.
    """
    over, name, *words = expression.split() + ['', '']
    if over not in ('min', 'max', 'range'):
        over, name, words = '', over, [name, *words]
    words = [word for word in words if word]
    if name == 'gpu' and len(words) == 3 and words[2] in GPU_FORMS:
        form = GPU_FORMS[words[2]]
        found = [
            forecast(record)[words[2]] for record in records.gpus
            if fnmatchcase(record['model'], words[0])
            and fnmatchcase(record['precision'], words[1])
        ]
    elif name in FORMS:
        form, found = FORMS[name], values(records.groups, name, words)
    else:
        raise ValueError('is unknown: tools/study/figures.py has the list')
    if not found:
        raise ValueError('there is no record of it')
    low, high = form.format(min(found)), form.format(max(found))
    if over in ('min', 'max'):
        return low if over == 'min' else high
    if len(found) > 1 and not over and name != 'spread':
        raise ValueError('several runs match: put min, max or range before it')
    return low if low == high else f'{low} to {high}'
