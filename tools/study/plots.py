"""Draw the plots of the pages.

Imported by tools/study/report.py.
"""

import io
import json
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from statistics import mean
from typing import Dict, Optional, Tuple

from figures import NEAR, goal_times
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmaction_multigrid.__main__ import main as command
from records import Groups, Runs, get

SIZE = dict(figsize=(7, 4), dpi=100, layout='constrained')  # 700 pixels wide
# Of each dataset the title, the shortened baseline that takes about as long as
# multigrid, and its conditions, and multigrid's variant; all of SlowFast.
PLOTS: Dict[str, Tuple[str, str, Dict[str, float], str]] = dict(
    utd=('UTD-MHAD depth, 431 clips', 'baseline-short', {}, 'store'),
    noisy=('Noisy digits, 750 clips', 'baseline', dict(budget=0.33), 'store'),
    ordered=('Ordered digits, 2,500 clips', 'baseline', dict(budget=0.5),
             'multigrid'),
    digits=('Moving digits, 5,000 clips', 'baseline-short', {}, 'multigrid'))
SHADES = ('#c6dbef', '#6baed6', '#2171b5', '#08306b')  # coarse to fine
STOCK = """_base_ = ['mmaction::recognition/slowfast/\
slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb.py']
custom_imports = dict(
    imports=['mmaction_multigrid'], allow_failed_imports=False)
runner_type = 'MultigridRunner'
multigrid = dict()
"""


def draw_curve(axis: Axes, label: str, runs: Runs, color: str,
               at: Tuple[float, float], **align: str) -> None:
    """Draw the seeds' mean top-1 against CPU time, and their range.

    Args:
        axis (Axes): Where to draw.
        label (str): Name of the curve.
        runs (Runs): What to draw.
        color (str): Color of the curve and its label.
        at (tuple): Seconds and top-1 that the label is put beside.
        align (str): Alignment of the label there.
    """
    points = [*zip(*(record['points'] for record in runs.records))]
    seconds = [mean(p['cpu_seconds'] for p in same) for same in points]
    scores = [[p['top1'] for p in same] for same in points]
    means = [mean(same) for same in scores]
    axis.plot(seconds, means, color=color, lw=2, marker='o', ms=4)
    axis.fill_between(
        seconds, [min(same) for same in scores],
        [max(same) for same in scores],
        color=color,
        alpha=.2,
        lw=0)
    seeds = len(runs.records)
    axis.annotate(
        f'{label}\n{means[-1]:.1f} %, {seeds} seed{"s" * (seeds > 1)}',
        at,
        xytext=(8, -8) if align['va'] == 'top' else (-8, 5),
        textcoords='offset points',
        color=color,
        bbox=dict(fc='w', ec='none', alpha=.7, pad=1),
        **align)


def draw_goal(axis: Axes, goal: float, sooner: Optional[float],
              later: float) -> None:
    """Draw the baseline's accuracy less half a point, and the times to it."""
    axis.axhline(goal, color='k', ls='--', lw=1)
    axis.annotate(
        f'baseline less half a point: {goal:.1f} %', (0.99, goal),
        xycoords=('axes fraction', 'data'),
        xytext=(0, 3),
        textcoords='offset points',
        ha='right',
        va='bottom')
    height = goal + 12
    if sooner is None:
        text, middle = 'multigrid does not reach it', later
    else:
        text = f'{later / sooner:.1f}x less CPU time'
        middle = (sooner + later) / 2
        axis.annotate(
            '', (sooner, height), (later, height),
            arrowprops=dict(arrowstyle='<->', shrinkA=0, shrinkB=0))
        axis.vlines((sooner, later), goal, height, color='k', lw=.5)
    axis.text(
        middle, height + 1, text, ha='center', va='bottom', weight='bold')


def draw_dataset(groups: Groups, data: str, path: Path) -> None:
    """Draw baseline, shortened baseline and multigrid on one dataset."""
    title, short, conditions, ours = PLOTS[data]
    base, short, ours = (
        get(groups, data, 'slowfast', *of)
        for of in (('baseline', {}), (short, conditions), (ours, {})))
    sooner, later = goal_times(ours, base)
    goal = base.mean('top1') - NEAR
    figure = Figure(**SIZE)
    axis = figure.subplots()
    below = dict(ha='left', va='top')
    for label, runs, color in (('baseline', base, 'dimgray'),
                               ('shortened baseline', short, 'tab:orange')):
        end = runs.mean('cpu_seconds'), runs.mean('top1')
        draw_curve(axis, label, runs, color, end, **below)
    # Left of the arrow that begins where the goal is reached.
    draw_curve(
        axis,
        'multigrid',
        ours,
        'tab:blue', (sooner or ours.mean('cpu_seconds'), goal),
        ha='right',
        va='bottom')
    draw_goal(axis, goal, sooner, later)
    axis.set(
        xlabel='CPU time of training (s)',
        ylabel='top-1 (%), mean and range of seeds',
        title=f'{title}, small SlowFast',
        xlim=(0, 1.25 * base.mean('cpu_seconds')),
        ylim=(0, 120),
        yticks=range(0, 101, 20))
    axis.spines[['top', 'right']].set_visible(False)
    axis.grid(alpha=.3)
    figure.savefig(path)


def describe(config: str) -> dict:
    """Return what ``schedule --format json`` prints of a config."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'config.py'
        path.write_text(config)
        with redirect_stdout(io.StringIO()) as out:
            command(['schedule', str(path), '--format', 'json'])
    return json.loads(out.getvalue())


def draw_schedule(info: dict, path: Path) -> None:
    """Draw shapes, batch and lr of a schedule against its epochs.

    Args:
        info (dict): What ``schedule --format json`` prints.
        path (Path): The picture.
    """
    figure = Figure(**SIZE)
    batch, lr = figure.subplots(2, 1, sharex=True)
    drawn: Dict[str, str] = {}
    for stage in info['stages']:
        factor, frames, crop = stage['shapes'][-1]
        shape = f'{frames} frames x {crop} pixels'
        new = shape not in drawn
        if new:
            drawn[shape] = SHADES[len(drawn)]
        batch.bar(
            stage['begin'],
            factor,
            stage['end'] - stage['begin'],
            align='edge',
            color=drawn[shape],
            ec='w',
            label=shape if new else None)
    epochs, factors = zip(*info['lr_factors'])
    lr.step([*epochs, info['max_epochs']], [*factors, factors[-1]],
            where='post',
            color='k')
    figure.suptitle('Clips, batch and learning rate of multigrid training: '
                    'SlowFast-R50 8x8')
    batch.set(ylabel='batch size\n/ base batch size', yticks=(1, 2, 4, 8))
    batch.legend(
        loc='lower left', bbox_to_anchor=(0, 1), ncol=2, frameon=False)
    lr.set(
        xlabel='epoch',
        ylabel='learning rate\n/ base learning rate',
        yscale='log',
        xlim=(0, info['max_epochs']))
    for axis in (batch, lr):
        axis.spines[['top', 'right']].set_visible(False)
        axis.grid(alpha=.3)
    figure.savefig(path)


def draw(groups: Groups, docs: Path) -> None:
    """Draw all plots.

    Args:
        groups (Groups): Runs of the study.
        docs (Path): Folder of the pages.
    """
    for data in PLOTS:
        draw_dataset(groups, data, docs / 'results' / f'{data}.png')
    draw_schedule(describe(STOCK), docs / 'schedule.png')
