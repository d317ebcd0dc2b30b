"""Make the tables of the pages from the records of the study.

Imported by tools/study/report.py and run.py.
"""

from typing import Callable, Dict, List, Optional, Sequence, Tuple

from figures import Records, costs, difference, forecast, goal_times
from records import Groups, Runs, baseline, get

MODELS = {
    'slowfast': 'SlowFast',
    'i3d': 'I3D',
    'i3d-nl': 'non-local I3D',
    'mvit': 'MViT',
    'timesformer': 'TimeSformer'
}
CNNS = ('slowfast', 'i3d', 'i3d-nl')
DATA = dict(
    utd='UTD-MHAD',
    utd7='UTD-MHAD, from a checkpoint',
    noisy='noisy digits',
    ordered='ordered digits',
    digits='moving digits')
# The run of the default schedule on each dataset. Wall-clock of UTD-MHAD is
# that of the runs that had the machine to themselves.
DEFAULT = dict(
    utd='store', noisy='store', ordered='multigrid', digits='multigrid')
TIMED = dict(DEFAULT, utd='store-bn-8')
FEW = dict(clips=2500)
TUNED = dict(epochs=35, lr=0.01)
# What is compared: text, dataset, variant, conditions.
Row = Tuple[str, str, str, Dict[str, float]]
ABLATIONS: Sequence[Row] = (
    ('default', 'digits', 'multigrid', FEW),
    ('long cycle only', 'digits', 'long', FEW),
    ('short cycle only', 'digits', 'short', FEW),
    ("`short_cycle_reference='stage'`", 'digits', 'stage', FEW),
    ('`epoch_factor=1`', 'digits', 'epochs-1', FEW),
    ('`epoch_factor=2`', 'digits', 'epochs-2', FEW),
    ("`lr_scaling='none'`", 'digits', 'no-lr-scaling', FEW),
    ('fixed frame interval', 'digits', 'fixed-interval', FEW),
    ('`precise_bn=0`', 'digits', 'no-precise-bn', FEW),
    ('batch norm over the whole batch', 'digits', 'plain-bn', FEW),
    ('crops grow, frames and batch fixed', 'digits', 'resize', FEW),
    ("`max_batch_factor='auto'`", 'ordered', 'auto', {}),
    ('crops grow, half the computing', 'ordered', 'resize', dict(budget=0.5)),
    ("`max_batch_factor='auto'`", 'noisy', 'store-auto', {}),
    ('`bn_base_size=8`', 'utd', 'store-bn-8', {}),
    ('`bn_base_size=8`, clips from videos', 'utd', 'bn-8', {}),
)
TRANSFORMERS: Sequence[Row] = (
    ('baseline', 'digits', 'baseline', {}),
    ("`max_batch_factor='auto'`", 'digits', 'multigrid', {}),
    ('no cap', 'digits', 'uncapped', {}),
    ("no cap, `lr_scaling='none'`", 'digits', 'uncapped-no-lr-scaling', {}),
)
FINE_TUNING: Sequence[Row] = (
    ('baseline', 'utd7', 'baseline', TUNED),
    ('baseline, default\'s iterations', 'utd7', 'baseline-short', TUNED),
    ('default', 'utd7', 'bn-8', TUNED),
    ('`epoch_factor=2`', 'utd7', 'epochs-2', TUNED),
    ("`lr_scaling='none'`", 'utd7', 'no-lr-scaling', TUNED),
    ('long cycle only', 'utd7', 'long', TUNED),
    ('short cycle only', 'utd7', 'short', TUNED),
    ('baseline', 'utd7', 'baseline', dict(TUNED, pretrained=2)),
    ("`max_batch_factor='auto'`: cap 1, long cycle only", 'utd7',
     'store-auto', dict(TUNED, pretrained=2)),
    ('`max_batch_factor=1`, both cycles', 'utd7', 'store-cap-1',
     dict(TUNED, pretrained=2)),
    ('`max_batch_factor=1`, short cycle only', 'utd7', 'store-cap-1-short',
     dict(TUNED, pretrained=2)),
    ('default', 'utd7', 'store', dict(TUNED, pretrained=3)),
    ("`max_batch_factor='auto'`", 'utd7', 'store-auto',
     dict(TUNED, pretrained=3)),
)
# Datasets with shortened baselines: conditions, and of a quarter to a third of
# the iterations and of half of them the variant and its share.
RIVALS = (
    ('utd', {}, ('baseline-short', None), ('baseline', 0.5)),
    ('noisy', {}, ('baseline', 0.33), ('baseline', 0.5)),
    ('ordered', {}, ('baseline', 0.25), ('baseline', 0.5)),
    ('digits', FEW, ('baseline-short', None), ('baseline', 0.5)),
    ('digits', {}, ('baseline-short', None), ('baseline', 0.5)),
)


def top1(runs: Runs) -> str:
    """Format the mean top-1 and, of several seeds, its range."""
    text, ends = f'{runs.mean("top1"):.1f}', runs.ends('top1')
    if len(ends) > 1:
        text += f' ({min(ends):.1f} to {max(ends):.1f})'
    return text


def ratio(cost: str) -> Callable[[Runs, Runs], str]:
    """Return a column of the baseline's cost divided by the run's."""

    def cell(runs: Runs, base: Runs) -> str:
        ours, theirs = costs(runs, base, cost)
        return f'{theirs / ours:.1f}x'

    return cell


def to_goal(runs: Runs, base: Runs) -> str:
    """Format the speed-up to the baseline's accuracy less half a point."""
    ours, theirs = goal_times(runs, base)
    return f'{theirs / ours:.1f}x' if ours else 'not reached'


# Columns of the runs alone, and of the runs beside their baseline.
OF_RUNS: Dict[str, Callable[[Runs], str]] = {
    'seeds': lambda runs: str(len(runs.records)),
    'iterations': lambda runs: f'{runs.mean("iterations"):,.0f}',
    'CPU time (s)': lambda runs: f'{runs.mean("cpu_seconds"):,.0f}',
    'wall-clock (s)': lambda runs: f'{runs.mean("seconds"):,.0f}',
    'top-1 (%)': top1
}
BESIDE: Dict[str, Callable[[Runs, Runs], str]] = {
    'difference': lambda runs, base: f'{difference(runs, base):+.1f}',
    'fewer iterations': ratio('iterations'),
    'less CPU time': ratio('cpu'),
    'less wall-clock': ratio('wall'),
    'less CPU time to the goal': to_goal
}


def cells(columns: Sequence[str], runs: Optional[Runs],
          base: Optional[Runs]) -> List[str]:
    """Format the cells of a row; a cell without a record is empty."""
    found = []
    for name in columns:
        try:
            if runs and name in OF_RUNS:
                found.append(OF_RUNS[name](runs))
            elif runs and base:
                found.append(BESIDE[name](runs, base))
            else:
                found.append('')
        except ValueError:  # their wall-clock times do not compare
            found.append('')
    return found


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table."""
    return '\n'.join('| ' + ' | '.join(line) + ' |'
                     for line in (header, ['---'] * len(header), *rows))


def variants(groups: Groups, data: str, model: str, names: Sequence[str],
             conditions: Dict[str, float]) -> str:
    """Compare variants of one model on one dataset; for tools/study/run.py."""
    columns = [*OF_RUNS, *BESIDE]
    base = baseline(groups, data, model, conditions)
    rows = [[name, *cells(columns, runs, base)] for name in names
            if (runs := get(groups, data, model, name, conditions))]
    return markdown(['run', *columns], rows)


def answer(records: Records, *datasets: str) -> str:
    """Compare the default schedule with the baseline."""
    columns = ('difference', 'less CPU time', 'less wall-clock',
               'less CPU time to the goal')
    rows = []
    for data in datasets or DEFAULT:
        for model in CNNS:
            base, ours, timed = (
                get(records.groups, data, model, variant, {})
                for variant in ('baseline', DEFAULT[data], TIMED[data]))
            row = dict(zip(columns, cells(columns, ours, base)))
            row['less wall-clock'], = cells(['less wall-clock'], timed, base)
            iterations, = cells(['fewer iterations'], ours, base)
            rows.append([
                DATA[data], MODELS[model],
                f'{len(base.records)}, {len(ours.records)}',
                top1(base),
                top1(ours), f'{base.mean("iterations"):,.0f} to '
                f'{ours.mean("iterations"):,.0f} ({iterations})',
                *row.values()
            ])
    return markdown(('dataset', 'model', 'seeds: baseline, multigrid',
                     'baseline top-1 (%)', 'multigrid top-1 (%)', 'iterations',
                     *columns), rows)


def rivals(records: Records) -> str:
    """Compare shortened baselines with the default schedule."""
    rows = []
    for data, conditions, *shortened in RIVALS:
        for model in CNNS:
            base = baseline(records.groups, data, model, conditions)
            clips = f', {conditions["clips"]:,} clips' if conditions else ''
            row = [DATA[data] + clips, MODELS[model]]
            for variant, share in (*shortened, (DEFAULT[data], None)):
                budget = dict(budget=share) if share else {}
                runs = get(records.groups, data, model, variant,
                           dict(conditions, **budget))
                if runs:
                    ours, whole = costs(runs, base, 'cpu')
                    row.append(f'{top1(runs)} at {ours / whole:.2f}')
                else:
                    row.append('')
            rows.append(row)
    return markdown(
        ('dataset', 'model', 'baseline, 0.25 to 0.33 of the iterations',
         'baseline, half of the iterations', 'multigrid'), rows)


def ablations(records: Records) -> str:
    """Show what each change of the schedule makes, one row a change."""
    rows = []
    for label, data, variant, conditions in ABLATIONS:
        row = [DATA[data], label]
        for model in CNNS:
            runs = get(records.groups, data, model, variant, conditions)
            base = baseline(records.groups, data, model, conditions)
            found = cells(('difference', 'seeds'), runs, base)
            row.append('{} ({})'.format(*found) if runs else '')
            if model == CNNS[0]:
                ratios = cells(('fewer iterations', 'less CPU time'), runs,
                               base)
        rows.append(row + ratios)
    return markdown(
        ('dataset', 'multigrid', *(f'{MODELS[model]}: difference (seeds)'
                                   for model in CNNS),
         'SlowFast: fewer iterations', 'less CPU time'), rows)


def listed(records: Records, rows: Sequence[Row],
           models: Sequence[str]) -> str:
    """Compare listed variants with their baselines."""
    columns = ('seeds', 'iterations', 'top-1 (%)', 'difference',
               'less CPU time')
    found = []
    for model in models:
        for label, data, variant, conditions in rows:
            runs = get(records.groups, data, model, variant, conditions)
            base = baseline(records.groups, data, model, conditions)
            if runs:
                start = conditions.get('pretrained', 1)
                found.append([
                    f'checkpoint {start}'
                    if data == 'utd7' else MODELS[model], label,
                    *cells(columns, runs, base)
                ])
    return markdown(('', 'run', *columns), found)


def changed(records: Records) -> str:
    """Compare multigrid with the baseline under other conditions."""
    rows = []
    for (data, model, variant, conditions), runs in records.groups.items():
        base = baseline(records.groups, data, model, dict(conditions))
        if base and variant == DEFAULT.get(data) and {
                'clips', 'batch', 'stride'
        } & {*dict(conditions)}:
            rows.append((runs.mean('iterations'), [
                ', '.join(f'{key} {n:g}' for key, n in conditions),
                MODELS[model], f'{len(base.records)}, {len(runs.records)}',
                f'{base.mean("iterations"):,.0f} to '
                f'{runs.mean("iterations"):,.0f}',
                top1(base),
                top1(runs), f'{difference(runs, base):+.1f}'
            ]))
    return markdown(
        ('changed', 'model', 'seeds: baseline, multigrid', 'iterations',
         'baseline top-1 (%)', 'multigrid top-1 (%)', 'difference'),
        [row for _, row in sorted(rows)])


def gpu(records: Records) -> str:
    """Show measured steps on a GPU, and the forecast made of them.

    A cell holds fp32 and bfloat16.
    """
    rows: Dict[str, List[List[str]]] = {}
    for record in records.gpus:
        if 'memory_mib' not in record['steps'][0]:
            continue  # of a CPU
        hours = forecast(record)
        base = record['steps'][-1]
        seconds, memory = ([step[key] / base[key] for step in record['steps']]
                           for key in ('seconds', 'memory_mib'))
        rows.setdefault(record['model'], []).append([
            f'{base["seconds"]:.3f}',
            f'{min(seconds):.2f} to {max(seconds):.2f}',
            f'{base["memory_mib"]:,}', f'{max(memory):.2f}',
            f'{hours["baseline"]:.1f}', f'{hours["multigrid"]:.1f}',
            f'{hours["speedup"]:.1f}x'
        ])
    return markdown(
        ('config', 'base step (s)', 'any step / base step',
         'memory of the base step (MiB)', 'most memory / base step',
         'baseline (h)', 'multigrid (h)', 'faster'),
        [[model, *('; '.join(both) for both in zip(*cells))]
         for model, cells in rows.items()])


def demo(records: Records) -> str:
    """Show the runs of the demo, one row a seed."""
    rows = []
    for seed in range(3):
        base, ours = (
            get(records.groups, 'demo', 'slowfast', variant, dict(seed=seed))
            for variant in ('baseline', 'store'))
        rows.append([
            str(seed), *(f'{runs.mean(key):{form}}'
                         for key, form in (('top1', '.1f'), ('seconds', '.0f'))
                         for runs in (base, ours)),
            *cells(('difference', 'less wall-clock'), ours, base),
            to_goal(ours, base),
            f'{base.records[0]["top1_when_multigrid_ends"]:.1f}'
        ])
    return markdown(
        ('seed', 'baseline top-1 (%)', 'multigrid top-1 (%)',
         'baseline wall-clock (s)', 'multigrid wall-clock (s)', 'difference',
         'less wall-clock', 'less wall-clock to the goal',
         'baseline when multigrid ends (%)'), rows)


TABLES: Dict[str, Callable[..., str]] = dict(
    answer=answer,
    rivals=rivals,
    ablations=ablations,
    changed=changed,
    transformers=lambda records: listed(records, TRANSFORMERS,
                                        ('mvit', 'timesformer')),
    fine_tuning=lambda records: listed(records, FINE_TUNING, ['slowfast']),
    gpu=gpu,
    demo=demo)


def table(records: Records, name: str) -> str:
    """Make the table of a mark, such as ``answer utd``.

    Raises:
        ValueError: There is no such table.
    """
    kind, *words = name.split()
    if kind not in TABLES:
        raise ValueError(f'tables are {", ".join(TABLES)}')
    return TABLES[kind](records, *words)
