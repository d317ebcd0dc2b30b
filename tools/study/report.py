"""Make the tables and plots of a study from the records that tools/study/run.py wrote.

    python tools/study/report.py [--runs docs/results/runs] [--out docs/results]

Fills the marked blocks of docs/results/README.md and draws, per model and data set, top-1 against wall-clock and the
clip shape, batch and lr over the run; and where multigrid pays. A run that is missing leaves an empty row.
"""

import argparse
import json
import re
from pathlib import Path
from statistics import mean
from typing import Callable, Dict, List, Optional, Sequence

from variants import VARIANTS, load

from mmaction_multigrid import multigrid_schedule
from mmaction_multigrid.profiling.drawing import draw_schedule

ROOT = Path(__file__).resolve().parents[2]
# UTD-MHAD was first trained with another default of bn_base_size than now.
REAL = ('baseline', 'store', 'store-bn-8', 'bn-8', 'baseline-short')
PEERS = ('baseline', 'multigrid', 'baseline-short', 'long', 'short', 'stage', 'resize')
ABLATIONS = ('multigrid', 'plain-bn', 'no-precise-bn', 'fixed-interval', 'no-lr-scaling', 'epochs-1', 'epochs-2')
TABLES = dict(
    peers=PEERS, ablations=ABLATIONS, models=PEERS[:3], cycles=PEERS[:5], cycles_and_stage=PEERS[:6],
    real=REAL, longer=(*REAL, 'epochs-2'), pair=('baseline', 'bn-8'),
    fine_tuning=('baseline', 'store-auto', 'store-cap-1', 'store-cap-1-epochs-1.85', 'store-cap-1-short'),
    few_updates=('baseline', 'auto', 'cap-1', 'cap-2'),
    bn=('store', 'store-bn-8', 'store-auto', 'store-auto-bn-8'),
    batches=('baseline', 'multigrid', 'bn-batch'),
    transformers=('baseline', 'multigrid', 'uncapped', 'uncapped-no-lr-scaling'),
    cycles_and_lr=('baseline', 'bn-8', *PEERS[2:5], 'no-lr-scaling', 'epochs-2'))
TITLES = dict(slowfast='SlowFast', i3d='I3D', utd='UTD-MHAD depth', utd7='7 actions of UTD-MHAD, pre-trained on 20',
              digits='moving digits', ordered='ordered digits', noisy='noisy digits', timesformer='TimeSformer',
              mvit='MViT', **{'i3d-nl': 'non-local I3D'})
GOALS = ('baseline', 'multigrid', 'auto', 'store', 'store-bn-8', 'store-auto')
NEAR = 0.5  # points below the baseline's end that count as its accuracy
HEADER = ('run', 'seeds', 'iterations', 'top-1 (%)', 'load', 'wall-clock (s)', 'of it data', 'of it compute',
          'CPU time (s)', "to within a point of the baseline's end (s)", 'speed-up: iterations', 'wall-clock',
          'CPU time')


class Runs:
    """The finished runs of one variant on one model, data set and conditions."""

    def __init__(self, records: List[dict]) -> None:
        self.records = sorted(records, key=lambda record: record['seed'])

    def last(self, key: str) -> List[float]:
        """A value at the end of each run."""
        return [record['points'][-1][key] for record in self.records]

    def mean(self, key: str) -> float:
        """Mean of it over the seeds."""
        return mean(self.last(key))

    def first(self, top1: float, key: str) -> Optional[float]:
        """Mean of a value at the first validation at which the seeds' mean is of that accuracy; None if at none."""
        for points in zip(*(record['points'] for record in self.records)):
            if mean(point['top1'] for point in points) >= top1:
                return mean(point[key] for point in points)
        return None

    def load(self) -> float:
        """Mean load average of the machine at the validations."""
        return mean(load for record in self.records for load in record['load_average'])

    def beside(self, other: 'Runs') -> 'Runs':
        """Those of the seeds that the other has, too: times of different hours of one machine do not compare.

        Where some ran alone on the machine, of the seeds for which both did: only their times are their own.
        """
        alone = bool(self._seeds(True) or other._seeds(True))
        seeds = self._seeds(alone) & other._seeds(alone)
        return Runs([record for record in self.records if record['seed'] in seeds])

    def _seeds(self, alone: bool) -> set:
        return {record['seed'] for record in self.records if record.get('alone') or not alone}

    def seconds_to(self, top1: float) -> Optional[float]:
        """Mean wall-clock to the first validation of that accuracy; None if a run has none."""
        reached = [next((point['seconds'] for point in record['points'] if point['top1'] >= top1), None)
                   for record in self.records]
        return None if None in reached else mean(reached)


def read(folder: Path) -> Dict[tuple, Runs]:
    """Finished runs by (model, data, variant, conditions); a GPU is one of these, since its times are others."""
    groups: Dict[tuple, List[dict]] = {}
    for path in sorted(folder.glob('*.json')):
        record = json.loads(path.read_text())
        if record['finished']:
            conditions = dict(record['conditions'], **({'gpu': 1.} if record.get('gpu') else {}))
            key = (record['model'], record['data'], record['variant'], tuple(sorted(conditions.items())))
            groups.setdefault(key, []).append(record)
    return {key: Runs(records) for key, records in groups.items()}


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table."""
    lines = (header, ['---'] * len(header), *rows)
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def spread(values: Sequence[float], form: str = '{:.1f}') -> str:
    """Mean, and the range where there are several."""
    text = form.format(mean(values))
    if len(values) > 1:
        text += f' ({form.format(min(values))} to {form.format(max(values))})'
    return text


def row(name: str, runs: Runs, base: Optional[Runs]) -> List[str]:
    """One variant beside the baseline."""
    cells = [name, str(len(runs.records)), f'{runs.mean("iterations"):.0f}', spread(runs.last('top1'))]
    timed = runs.beside(base) if base else runs
    if not timed.records:
        return cells + [''] * (len(HEADER) - len(cells))
    cells += [f'{timed.load():.1f}', spread(timed.last('seconds'), '{:.0f}')]
    cells += [f'{timed.mean(key):.0f}' for key in ('data_seconds', 'compute_seconds', 'cpu_seconds')]
    if base is None:
        return cells + [''] * 4
    base = base.beside(timed)
    reached = timed.seconds_to(base.mean('top1') - 1)
    cells.append('not reached' if reached is None else f'{reached:.0f}')
    return cells + [f'{base.mean(key) / timed.mean(key):.2f}x' for key in ('iterations', 'seconds', 'cpu_seconds')]


def variant_table(groups: Dict[tuple, Runs], model: str, data: str, variants: Sequence[str],
                  conditions: tuple = ()) -> str:
    """Those of the variants of one model that ran, the baseline for comparison."""
    found = {variant: groups.get((model, data, variant, conditions)) for variant in ('baseline', *variants)}
    return markdown(HEADER, [row(VARIANTS[variant][2], found[variant], found['baseline'])
                             for variant in variants if found[variant]])


def goal_table(groups: Dict[tuple, Runs], data: str, conditions: tuple, *models: str) -> str:
    """CPU seconds to half a point below where the baseline ends, of the runs that were made to be as good."""
    header = ('model', 'run', 'seeds', 'top-1 (%)', 'CPU time to the goal (s)', 'less than the baseline')
    rows = []
    for model in models:
        base = groups.get((model, data, 'baseline', conditions))
        for variant in GOALS if base else ():
            runs = groups.get((model, data, variant, conditions))
            if not runs:
                continue
            goal = base.mean('top1') - NEAR
            own, ours = base.first(goal, 'cpu_seconds'), runs.first(goal, 'cpu_seconds')
            reached = f'{ours:.0f}' if ours else f'{goal - runs.mean("top1"):.1f} points short'
            rows.append([TITLES[model] if runs is base else '', VARIANTS[variant][2], str(len(runs.records)),
                         spread(runs.last('top1')), reached, f'{own / ours:.2f}x' if ours and runs is not base else ''])
    return markdown(header, rows)


def summary_table(groups: Dict[tuple, Runs], data: str, conditions: tuple) -> str:
    """One row a model: multigrid beside the baseline."""
    header = ('model', 'seeds, baseline and multigrid', 'top-1 (%): baseline', 'multigrid',
              'baseline, as few iterations', 'fewer iterations', 'less wall-clock', 'less CPU time')
    rows = []
    for model in ('slowfast', 'i3d', 'i3d-nl'):
        ours = 'store-bn-8' if data == 'utd' else 'multigrid'
        base, ours, short = (groups.get((model, data, variant, conditions)) for variant in ('baseline', ours, PEERS[2]))
        if base and ours:
            cells = row('', ours, base)
            rows.append([TITLES[model], f'{len(base.records)}, {len(ours.records)}', f'{base.mean("top1"):.1f}',
                         f'{ours.mean("top1"):.1f}', f'{short.mean("top1"):.1f}' if short else '', *cells[-3:]])
    return markdown(header, rows)


def conditions_of(groups: Dict[tuple, Runs], model: str, data: str) -> List[tuple]:
    """Conditions of the usual batch under which there are a baseline and a multigrid run, by stride and updates."""
    found = [key[3] for key in groups if key[:3] == (model, data, 'multigrid')
             and (model, data, 'baseline', key[3]) in groups and 'batch' not in dict(key[3])]
    return sorted(found, key=lambda conditions: (dict(conditions).get('stride', 8),
                                                 groups[model, data, 'baseline', conditions].mean('iterations')))


def boundary_table(groups: Dict[tuple, Runs], model: str, data: str) -> str:
    """Multigrid, and the baseline of as few iterations, beside the baseline for other clips, epochs and strides."""
    header = ('total stride', 'clips', 'seeds, baseline and multigrid', 'updates: baseline', 'multigrid',
              'top-1 (%): baseline', 'multigrid', 'baseline, as few updates', 'multigrid - baseline')
    rows = []
    for conditions in conditions_of(groups, model, data):
        base, ours, short = (groups.get((model, data, variant, conditions))
                             for variant in ('baseline', 'multigrid', 'baseline-short'))
        values = dict(conditions)
        rows.append([f'{values.get("stride", 8):g}', f'{values.get("clips", 5000):g}',
                     f'{len(base.records)}, {len(ours.records)}', f'{base.mean("iterations"):.0f}',
                     f'{ours.mean("iterations"):.0f}', spread(base.last('top1')), spread(ours.last('top1')),
                     spread(short.last('top1')) if short else '',
                     f'{round(ours.mean("top1") - base.mean("top1"), 1) + 0.:+.1f}'])
    return markdown(header, rows)


def draw_curves(groups: Dict[tuple, Runs], model: str, data: str, path: Path) -> None:
    """Top-1 against wall-clock, and against CPU time of the training process."""
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for color, variant in enumerate(dict.fromkeys((*PEERS, *REAL))):
        runs = groups.get((model, data, variant, ()))
        for number, record in enumerate(runs.records if runs else ()):
            for axis, key in zip(axes, ('seconds', 'cpu_seconds')):
                axis.plot([point[key] for point in record['points']], [point['top1'] for point in record['points']],
                          marker='o', ms=4, color=f'C{color}', ls=('-', '--', ':')[number % 3],
                          label=VARIANTS[variant][2] if number == 0 else None)
    axes[0].set(xlabel='wall-clock (s), validation left out', ylabel='top-1 (%)')
    axes[1].set(xlabel='CPU time of the training process (s)')
    axes[1].legend(fontsize=7, loc='lower right')
    for axis in axes:
        axis.grid(alpha=.3)
    figure.suptitle(f'{TITLES[model]} on {TITLES[data]}; one line a seed', fontsize=10)
    save(figure, path)


def draw_boundary(groups: Dict[tuple, Runs], model: str, data: str, path: Path) -> None:
    """Difference in top-1 to the baseline against the baseline's updates, by stride."""
    import matplotlib.pyplot as plt
    figure, axis = plt.subplots(figsize=(7, 5))
    for variant, marker in (('multigrid', 'o'), ('baseline-short', 'x')):
        lines: Dict[float, List[tuple]] = {}
        for conditions in conditions_of(groups, model, data):
            base, runs = (groups.get((model, data, name, conditions)) for name in ('baseline', variant))
            if runs:
                lines.setdefault(dict(conditions).get('stride', 8), []).append(
                    (base.mean('iterations'), runs.mean('top1') - base.mean('top1')))
        for color, (stride, points) in enumerate(lines.items()):
            axis.plot(*zip(*points), marker=marker, ls='-' if marker == 'o' else ':', color=f'C{color}',
                      label=f'{VARIANTS[variant][2]}, total stride {stride:g}')
    axis.axhspan(-1, 1, color='k', alpha=.1)
    axis.set(xlabel='updates of the baseline', ylabel='top-1 minus that of the baseline (points)', xscale='log',
             title=f'Where multigrid pays: {TITLES[model]} on {TITLES[data]}')
    axis.grid(alpha=.3, which='both')
    axis.legend(fontsize=8, loc='upper center', bbox_to_anchor=(0.5, -0.15))
    save(figure, path)


def save(figure, path: Path) -> None:
    """Write a plot."""
    import matplotlib.pyplot as plt
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(path)


def fill(text: str, table: Callable[[str], str]) -> str:
    """Put tables between their marks: ``<!-- table: NAME ARGUMENTS -->`` and ``<!-- end -->``."""
    return re.sub(r'(<!-- table: (.+?) -->\n).*?(<!-- end -->)',
                  lambda match: f'{match[1]}\n{table(match[2])}\n\n{match[3]}', text, flags=re.DOTALL)


def table(groups: Dict[tuple, Runs], name: str) -> str:
    """The table of a mark: its kind, model, data set and conditions, as in ``peers slowfast digits clips=2500``."""
    kind, *words = name.split()
    pairs = [word.split('=') for word in words if '=' in word]
    conditions = tuple(sorted((key, float(value)) for key, value in pairs))
    words = [word for word in words if '=' not in word]
    if kind == 'summary':
        return summary_table(groups, *words, conditions)
    if kind == 'goals':
        return goal_table(groups, words[0], conditions, *words[1:])
    if kind == 'boundary':
        return boundary_table(groups, *words)
    return variant_table(groups, *words, TABLES[kind], conditions)


def main() -> None:
    """Fill in and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--runs', type=Path, default=ROOT / 'docs' / 'results' / 'runs', help='where the records are')
    parser.add_argument('--out', type=Path, default=ROOT / 'docs' / 'results', help='where README.md is')
    args = parser.parse_args()
    import matplotlib
    matplotlib.use('Agg')
    groups = read(args.runs)
    for page in (args.out / 'README.md', ROOT / 'README.md'):
        page.write_text(fill(page.read_text(), lambda name: table(groups, name)))
    for model, data in sorted({key[:2] for key in groups if key[2:] == ('baseline', ())}):
        draw_curves(groups, model, data, args.out / f'{model}_{data}.png')
        cfg = load(model, data, True)
        draw_schedule(multigrid_schedule(cfg)[0],
                      cfg.train_dataloader.batch_size,
                      args.out / f'{model}_{data}_schedule.png')
        if data == 'digits' and len(conditions_of(groups, model, data)) > 2:
            draw_boundary(groups, model, data, args.out / f'{model}_{data}_boundary.png')


if __name__ == '__main__':
    main()
