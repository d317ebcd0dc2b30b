"""Make the tables of docs/results.md from the records of the study.

Imported by tools/study/report.py and run.py.
"""

from typing import Callable, Dict, List, Optional, Sequence

from figures import Records, costs, difference, goal_times
from records import Groups, Runs, select

DATA = dict(
    digits='moving digits',
    noisy='noisy digits',
    ordered='ordered digits',
    utd='UTD-MHAD depth')
MODELS = {
    'slowfast': 'SlowFast',
    'i3d': 'I3D',
    'i3d-nl': 'non-local I3D',
    'timesformer': 'TimeSformer',
    'mvit': 'MViT'
}
# The run of the default multigrid schedule on each dataset; wall-clock is
# that of the runs that had the machine to themselves.
DEFAULT = dict(
    digits='multigrid', ordered='multigrid', noisy='store', utd='store')
TIMED = dict(DEFAULT, utd='store-bn-8')


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table."""
    return '\n'.join('| ' + ' | '.join(line) + ' |'
                     for line in (header, ['---'] * len(header), *rows))


def get(records: Records, data: str, model: str, variant: str,
        **conditions) -> Optional[Runs]:
    """Return the runs of a variant, or None."""
    found = select(records.groups, data, model, variant, conditions)
    return next(iter(found.values()), None)


def top1(runs: Optional[Runs]) -> str:
    """Format the mean top-1 and, of several seeds, its range."""
    if not runs:
        return ''
    text, ends = f'{runs.mean("top1"):.1f}', runs.ends('top1')
    if len(ends) > 1:
        text += f' ({min(ends):.1f} to {max(ends):.1f})'
    return text


def to_goal(runs: Runs, base: Runs) -> str:
    """Format the speed-up to the baseline's accuracy less half a point."""
    ours, theirs = goal_times(runs, base)
    return f'{theirs / ours:.1f}x' if ours else 'not reached'


def answer(records: Records, *datasets: str) -> str:
    """Compare the default schedule with the baseline."""
    rows = []
    for data in datasets or DEFAULT:
        for model in ('slowfast', 'i3d', 'i3d-nl'):
            base, ours, timed = (
                get(records, data, model, variant)
                for variant in ('baseline', DEFAULT[data], TIMED[data]))
            ratios = [(ours, 'iterations'), (ours, 'cpu'), (timed, 'wall')]
            rows.append([
                *([] if len(datasets) == 1 else [DATA[data]]), MODELS[model],
                f'{len(base.records)}, {len(ours.records)}',
                top1(base),
                top1(ours), f'{difference(ours, base):+.1f}', *(
                    '{1:.1f}x'.format(0, theirs / mine)
                    for mine, theirs in (costs(runs, base, cost)
                                         for runs, cost in ratios)),
                to_goal(ours, base)
            ])
    header = ('dataset', 'model', 'seeds: baseline, multigrid',
              'baseline top-1 (%)', 'multigrid top-1 (%)', 'difference',
              'fewer iterations', 'less CPU time', 'less wall-clock',
              'CPU time to the goal')
    return markdown(header[len(datasets) == 1:], rows)


TABLES: Dict[str, Callable[..., str]] = dict(answer=answer)


def table(records: Records, name: str) -> str:
    """Make the table of a mark, such as ``answer utd``.

    Raises:
        ValueError: There is no such table.
    """
    kind, *words = name.split()
    if kind not in TABLES:
        raise ValueError(f'tables are {", ".join(TABLES)}')
    return TABLES[kind](records, *words)
