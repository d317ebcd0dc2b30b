"""Make tables and plots of a study from the records of tools/study/run.py.

    python tools/study/report.py [--runs docs/results/runs]
                                 [--out docs/results]

Fills the marked blocks of docs/results/README.md and README.md, and draws
top-1 against wall-clock. A table leaves out variants without a finished run.
"""

import argparse
import re
from pathlib import Path
from statistics import mean
from typing import List, Optional, Sequence

from matplotlib.figure import Figure
from records import Groups, Runs, read
from variants import VARIANTS

ROOT = Path(__file__).resolve().parents[2]
# UTD-MHAD was first trained with another default of bn_base_size than now.
REAL = ('baseline', 'store', 'store-bn-8', 'bn-8', 'baseline-short')
PEERS = ('baseline', 'multigrid', 'baseline-short', 'long', 'short', 'stage',
         'resize')
ABLATIONS = ('multigrid', 'plain-bn', 'no-precise-bn', 'fixed-interval',
             'no-lr-scaling', 'epochs-1', 'epochs-2')
TABLES = dict(
    peers=PEERS,
    ablations=ABLATIONS,
    models=PEERS[:3],
    cycles_and_stage=PEERS[:6],
    real=REAL,
    longer=(*REAL, 'epochs-2'),
    pair=('baseline', 'bn-8'),
    few_updates=('baseline', 'auto', 'cap-1', 'cap-2'),
    fine_tuning=('baseline', 'store-auto', 'store-cap-1',
                 'store-cap-1-epochs-1.85', 'store-cap-1-short'),
    bn=('store', 'store-bn-8', 'store-auto', 'store-auto-bn-8'),
    batches=('baseline', 'multigrid', 'bn-batch'),
    transformers=('baseline', 'multigrid', 'uncapped',
                  'uncapped-no-lr-scaling'),
    cycles_and_lr=('baseline', 'bn-8', *PEERS[2:5], 'no-lr-scaling',
                   'epochs-2'))
TITLES = {
    'slowfast': 'SlowFast',
    'i3d': 'I3D',
    'i3d-nl': 'non-local I3D',
    'timesformer': 'TimeSformer',
    'mvit': 'MViT',
    'utd': 'UTD-MHAD depth',
    'utd7': '7 actions of UTD-MHAD, pre-trained on 20',
    'digits': 'moving digits',
    'ordered': 'ordered digits',
    'noisy': 'noisy digits'
}
GOALS = ('baseline', 'multigrid', 'auto', 'store', 'store-bn-8', 'store-auto')
NEAR = 0.5  # points below the baseline's end that count as its accuracy
HEADER = ('run', 'seeds', 'iterations', 'top-1 (%)', 'load', 'wall-clock (s)',
          'of it data', 'of it compute', 'CPU time (s)',
          "to within a point of the baseline's end (s)",
          'speed-up: iterations', 'wall-clock', 'CPU time')
COSTS = ('iterations', 'seconds', 'cpu_seconds')


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table."""
    return '\n'.join('| ' + ' | '.join(line) + ' |'
                     for line in (header, ['---'] * len(header), *rows))


def row(name: str, runs: Runs, base: Optional[Runs]) -> List[str]:
    """Compare one variant with the baseline."""
    cells = [
        name,
        str(len(runs.records)), f'{runs.mean("iterations"):.0f}',
        runs.spread('top1')
    ]
    timed = runs.beside(base) if base else runs
    if timed.records:
        load = mean(load for record in timed.records
                    for load in record['load_average'])
        cells += [
            f'{load:.1f}',
            timed.spread('seconds', '{:.0f}'),
            *(f'{timed.mean(key):.0f}'
              for key in ('data_seconds', 'compute_seconds', 'cpu_seconds'))
        ]
        if base:
            base = base.beside(timed)
            cells += [
                timed.seconds_to(base.mean('top1') - 1),
                *(f'{base.mean(key) / timed.mean(key):.2f}x' for key in COSTS)
            ]
    return cells + [''] * (len(HEADER) - len(cells))


def variant_table(groups: Groups,
                  model: str,
                  data: str,
                  variants: Sequence[str],
                  conditions: tuple = ()) -> str:
    """Compare the variants of one model that ran with the baseline."""
    found = {
        variant: groups.get((model, data, variant, conditions))
        for variant in ('baseline', *variants)
    }
    return markdown(HEADER, [
        row(VARIANTS[variant][1], found[variant], found['baseline'])
        for variant in variants if found[variant]
    ])


def goal_table(groups: Groups, data: str, conditions: tuple,
               *models: str) -> str:
    """Compare CPU seconds to half a point below the baseline's end."""
    rows = []
    for model in models:
        found = {
            variant: runs
            for variant in GOALS
            if (runs := groups.get((model, data, variant, conditions)))
        }
        base = found.get('baseline')
        for variant, runs in found.items() if base else ():
            goal = base.mean('top1') - NEAR
            own, ours = (
                each.first(goal, 'cpu_seconds') for each in (base, runs))
            reached = f'{ours:.0f}' if ours else (
                f'{goal - runs.mean("top1"):.1f} points short')
            rows.append([
                TITLES[model] if runs is base else '', VARIANTS[variant][1],
                str(len(runs.records)),
                runs.spread('top1'), reached,
                f'{own / ours:.2f}x' if ours and runs is not base else ''
            ])
    return markdown(('model', 'run', 'seeds', 'top-1 (%)',
                     'CPU time to the goal (s)', 'less than the baseline'),
                    rows)


def summary_table(groups: Groups, data: str, conditions: tuple) -> str:
    """Compare multigrid with the baseline, one row per model."""
    variants = ('baseline', 'store-bn-8' if data == 'utd' else 'multigrid',
                'baseline-short')
    rows = []
    for model in ('slowfast', 'i3d', 'i3d-nl'):
        base, ours, short = (
            groups.get((model, data, variant, conditions))
            for variant in variants)
        if base and ours:
            rows.append([
                TITLES[model], f'{len(base.records)}, {len(ours.records)}',
                *(f'{runs.mean("top1"):.1f}' if runs else ''
                  for runs in (base, ours, short)), *row('', ours, base)[-3:]
            ])
    return markdown(
        ('model', 'seeds, baseline and multigrid', 'top-1 (%): baseline',
         'multigrid', 'baseline, as few iterations', 'fewer iterations',
         'less wall-clock', 'less CPU time'), rows)


def boundary_table(groups: Groups, model: str, data: str) -> str:
    """Compare multigrid with the baseline for other clips and strides."""
    found = []
    for *_, conditions in (key for key in groups
                           if key[:3] == (model, data, 'baseline')):
        base, ours, short = (
            groups.get((model, data, variant, conditions))
            for variant in PEERS[:3])
        values = dict(conditions)
        if ours and 'batch' not in values:
            more = round(ours.mean('top1') - base.mean('top1'), 1) + 0.
            iterations = base.mean('iterations')
            stride = values.get('stride', 8)
            found.append((stride, iterations, [
                f'{stride:g}', f'{values.get("clips", 5000):g}',
                f'{len(base.records)}, {len(ours.records)}',
                f'{iterations:.0f}', f'{ours.mean("iterations"):.0f}',
                base.spread('top1'),
                ours.spread('top1'),
                short.spread('top1') if short else '', f'{more:+.1f}'
            ]))
    return markdown(
        ('total stride', 'clips', 'seeds, baseline and multigrid',
         'updates: baseline', 'multigrid', 'top-1 (%): baseline', 'multigrid',
         'baseline, as few updates', 'multigrid - baseline'),
        [cells for *_, cells in sorted(found)])


def draw_curves(groups: Groups, model: str, data: str, path: Path) -> None:
    """Draw top-1 against wall-clock and CPU time."""
    figure = Figure(figsize=(10, 4), layout='tight')
    axes = figure.subplots(1, 2, sharey=True)
    for color, variant in enumerate(dict.fromkeys((*PEERS, *REAL))):
        runs = groups.get((model, data, variant, ()))
        for number, record in enumerate(runs.records if runs else ()):
            for axis, key in zip(axes, COSTS[1:]):
                axis.plot(
                    *zip(*((point[key], point['top1'])
                           for point in record['points'])),
                    marker='o',
                    ms=4,
                    color=f'C{color}',
                    ls=('-', '--', ':')[number % 3],
                    label='' if number else VARIANTS[variant][1])
    axes[0].set(
        xlabel='wall-clock (s), validation left out', ylabel='top-1 (%)')
    axes[1].set(xlabel='CPU time of the training process (s)')
    axes[1].legend(fontsize=7, loc='lower right')
    figure.suptitle(
        f'{TITLES[model]} on {TITLES[data]}; one line a seed', fontsize=10)
    figure.savefig(path, dpi=110)


def table(groups: Groups, name: str) -> str:
    """Make the table of a mark, as ``peers slowfast digits clips=2500``."""
    kind, *words = name.split()
    conditions = tuple(
        sorted((key, float(value)) for key, value in (word.split('=')
                                                      for word in words
                                                      if '=' in word)))
    words = [word for word in words if '=' not in word]
    if kind == 'summary':
        return summary_table(groups, *words, conditions)
    if kind == 'goals':
        return goal_table(groups, words[0], conditions, *words[1:])
    if kind == 'boundary':
        return boundary_table(groups, *words)
    return variant_table(groups, *words, TABLES[kind], conditions)


def fill(text: str, groups: Groups) -> str:
    """Put tables between ``<!-- table: NAME -->`` and ``<!-- end -->``."""
    return re.sub(
        r'(<!-- table: (.+?) -->\n).*?(<!-- end -->)',
        lambda mark: f'{mark[1]}\n{table(groups, mark[2])}\n\n{mark[3]}',
        text,
        flags=re.DOTALL)


def main() -> None:
    """Fill in and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    results = ROOT / 'docs' / 'results'
    parser.add_argument(
        '--runs',
        type=Path,
        default=results / 'runs',
        help='where the records are')
    parser.add_argument(
        '--out', type=Path, default=results, help='where README.md is')
    args = parser.parse_args()
    groups = read(args.runs)
    for page in (args.out / 'README.md', ROOT / 'README.md'):
        page.write_text(fill(page.read_text(), groups))
    for model, data in sorted(
        {key[:2]
         for key in groups if key[2:] == ('baseline', ())}):
        draw_curves(groups, model, data, args.out / f'{model}_{data}.png')


if __name__ == '__main__':
    main()
