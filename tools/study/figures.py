"""Evaluate the figures that pages quote from the records of the study.

An expression is a name and what it is of:

    top1 DATA MODEL VARIANT          mean top-1 in percent: 80.0
    spread DATA MODEL VARIANT        least and largest top-1 of the seeds:
                                     78.1 to 81.9
    seeds DATA MODEL VARIANT         number of seeds: 4
    iterations DATA MODEL VARIANT    of training: 2,112
    seconds DATA MODEL VARIANT COST  mean to the end of training: 235
    speedup DATA MODEL VARIANT COST  baseline's cost divided by this: 3.1x
    share DATA MODEL VARIANT COST    this divided by the baseline's cost: 0.33
    goal DATA MODEL VARIANT          speed-up in CPU time to the baseline's
                                     top-1 less half a point: 3.1x
    difference DATA MODEL VARIANT    top-1 less the baseline's: -0.7
    short DATA MODEL VARIANT         the same with the other sign: 0.7
    value DATA MODEL VARIANT KEY     a number of the record itself: 0.7
    gpu CONFIG PRECISION WHAT        forecast for Kinetics-400 on eight GPUs;
                                     WHAT is baseline or multigrid (hours:
                                     29.3), speedup (3.0x) or in GPU_FORMS

COST is iterations, cpu (seconds of CPU time without loading), loading (of
loading) or wall (seconds of the demo). Conditions follow as ``lr=0.01``,
and ``seed=0`` selects a seed. The baseline is the one of the same data, model
and conditions, without ``budget``, which shortens a baseline. Names may be
patterns, such as ``*`` and ``i3d*``: after ``range`` an expression is
evaluated for each variant that matches, as in
``range speedup noisy * few cpu``: 1.3x to 1.4x.
"""

from typing import Callable, Dict, List, Optional, Tuple

from records import Groups, NoRecord, Runs, get, select

NEAR = 0.5  # points below the baseline's end that count as its accuracy
CLIPS, GPUS = 240_000, 8  # of the forecast for Kinetics-400
COSTS = dict(
    iterations='iterations',
    cpu='cpu_seconds',
    loading='loading_seconds',
    wall='seconds')
GPU_FORMS = dict(
    baseline='{:.1f}',
    multigrid='{:.1f}',
    speedup='{:.1f}x',
    step='{:.3f}',
    memory='{:,}',
    least='{:.2f}',
    most='{:.2f}',
    most_memory='{:.2f}')


def speedup(runs: Runs, base: Runs, cost: str) -> float:
    """Return the baseline's mean cost divided by the runs'.

    Of the seeds that both have: another seed may have run on another machine.
    """
    common = {each['seed']
              for each in runs.records
              } & {each['seed']
                   for each in base.records}
    ours, theirs = (
        Runs([each for each in side.records if each['seed'] in common]
             or side.records) for side in (runs, base))
    return theirs.mean(COSTS[cost]) / ours.mean(COSTS[cost])


def difference(runs: Runs, base: Runs) -> float:
    """Return top-1 less the baseline's, without a negative zero."""
    return round(runs.mean('top1') - base.mean('top1'), 1) + 0.


def goal_times(runs: Runs, base: Runs) -> List[Optional[float]]:
    """Return CPU times to the baseline's accuracy less half a point.

    Returns:
        list: Seconds of the runs and of the baseline, None where the goal is
        not reached. Of the demo they are wall-clock, which alone it logs.
    """
    goal = base.mean('top1') - NEAR
    if 'seconds_to_goal' in base.records[0]:
        return [
            each.records[0].get('seconds_to_goal') for each in (runs, base)
        ]
    return [each.first(goal, 'cpu_seconds') for each in (runs, base)]


def goal(runs: Runs, base: Runs) -> Optional[float]:
    """Return the speed-up to the goal, or None if it is not reached."""
    ours, theirs = goal_times(runs, base)
    return theirs / ours if ours else None


# The format of an expression, and its value for runs and their baseline.
EXPRESSIONS: Dict[str, Tuple[str, Callable]] = dict(
    top1=('{:.1f}', lambda runs, base: runs.mean('top1')),
    seeds=('{}', lambda runs, base: len(runs.ends('top1'))),
    iterations=('{:,.0f}', lambda runs, base: runs.mean('iterations')),
    seconds=('{:,.0f}', lambda runs, base, cost: runs.mean(COSTS[cost])),
    speedup=('{:.1f}x', speedup),
    share=('{:.2f}', lambda *of: 1 / speedup(*of)),
    goal=('{:.1f}x', goal),
    difference=('{:+.1f}', difference),
    short=('{:.1f}', lambda *of: -difference(*of)))


def forecast(record: dict) -> Dict[str, float]:
    """Forecast training on Kinetics-400 from the measured times of steps.

    The steps of a cycle last as long as their computing or as the loading of
    their clips, whichever is longer, where loading was measured.

    Returns:
        dict: Hours of ``baseline`` and ``multigrid``, and the ``speedup``;
        seconds and MiB of the base ``step``, and the ``least`` and ``most``
        of all steps, relative to it.
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

    base = record['steps'][-1]
    whole = hours(record['base_epochs'], record['stages'][-1][1][-1:])
    ours = sum(hours(*stage) for stage in record['stages'])
    times = [step['seconds'] / base['seconds'] for step in steps.values()]
    memory = [step.get('memory_mib', 0) for step in record['steps']]
    return dict(
        baseline=whole,
        multigrid=ours,
        speedup=whole / ours,
        step=base['seconds'],
        memory=memory[-1],
        least=min(times),
        most=max(times),
        most_memory=max(memory) / max(1, memory[-1]))


def values(groups: Groups, name: str,
           *words: str) -> Tuple[str, List[Optional[float]]]:
    """Return the format of an expression, and its values of all matches."""
    conditions = {
        key: float(number)
        for key, is_set, number in (word.partition('=') for word in words)
        if is_set
    }
    if name == 'gpu':
        config, precision, what = [word for word in words if '=' not in word]
        found = select(groups, ['gpu', config, precision], conditions)
        return GPU_FORMS[what], [
            forecast(runs.records[0])[what] for runs in found.values()
        ]
    if name == 'value':
        *names, key = words
        return '{:g}', [
            runs.records[0][key]
            for runs in select(groups, names, {}).values()
        ]
    data, model, variant, *cost = [word for word in words if '=' not in word]
    found = select(groups, [data, model, variant], conditions)
    if name == 'spread':
        return '{:.1f}', [
            end for runs in found.values() for end in runs.ends('top1')
        ]
    form, value = EXPRESSIONS[name]
    conditions.pop('budget', None)
    return form, [
        value(runs, get(groups, *key[:2], 'baseline', conditions), *cost)
        for key, runs in found.items()
    ]


def figure(groups: Groups, expression: str) -> str:
    """Return the text of an expression.

    Raises:
        KeyError: It names something unknown.
        ValueError: It has too few or too many words, or matches several runs.
        NoRecord: There is no record of it.
    """
    words = expression.split()
    over = words.pop(0) if words[0] == 'range' else ''
    form, found = values(groups, *words)
    if not found:
        raise NoRecord('there is no record of it')
    if None in found:
        return 'not reached'
    low, high = form.format(min(found)), form.format(max(found))
    if words[0] == 'spread':
        return f'{low} to {high}' if len(found) > 1 else 'one seed'
    if len(found) > 1 and not over:
        raise ValueError('several runs match: put range before it')
    return low if low == high else f'{low} to {high}'
