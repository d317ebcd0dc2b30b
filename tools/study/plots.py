"""Draw the plots of the pages.

Imported by tools/study/report.py.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Dict, List, Tuple

from figures import NEAR, goal_times
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from records import Groups, Runs, get

SIZE = dict(figsize=(7, 4), dpi=100, layout='constrained')  # 700 pixels wide
# Of each dataset the title, the model, multigrid's variant, and a shortened
# baseline that takes about as long, if there is one, with its conditions.
PLOTS: Dict[str, Tuple[str, str, str, Dict[str, dict]]] = {
    'utd': ('UTD-MHAD depth, 431 clips, small I3D, default', 'i3d',
            'multigrid', dict(baseline=dict(budget=0.33))),
    'noisy': ('Noisy digits, 750 clips, small I3D, half full', 'i3d', 'few',
              dict(baseline=dict(budget=0.7))),
    'ordered': ('Ordered digits, 2,500 clips, small I3D, half full', 'i3d',
                'few', dict(baseline=dict(budget=0.7))),
    'grid': ('GRID digits, 700 clips, small I3D, half full', 'i3d', 'few',
             dict(baseline=dict(budget=0.7))),
    'utd-frames':
    ('UTD-MHAD depth, 431 clips, small TSM', 'tsm', 'cap-2-finish', {}),
    'ava': ('Moving actors, 400 clips, small SlowFast detector', 'slowfast',
            'cap-4', {})
}
LABELS = (('baseline', 'dimgray'), ('multigrid', 'tab:blue'),
          ('shortened baseline', 'tab:orange'))
# For text beside a point: below it to the right, or above it to the left.
BELOW = dict(ha='left', va='top', xytext=(8, -8), textcoords='offset points')
ABOVE = dict(
    ha='right', va='bottom', xytext=(-8, 4), textcoords=BELOW['textcoords'])
SHADES = ('#c6dbef', '#6baed6', '#2171b5', '#08306b')  # coarse to fine
# Prints the schedule that README shows.
SCHEDULE = (sys.executable, '-m', 'mmaction_multigrid', 'schedule',
            'mmaction::recognition/slowfast/slowfast_r50_8xb8-8x8x1-steplr-'
            '256e_kinetics400-rgb.py', '--cfg-options',
            'multigrid.epoch_factor=1.5', '--format', 'json')


def draw_curve(axis: Axes, runs: Runs, color: str) -> Tuple[float, float]:
    """Draw the seeds' mean top-1 against CPU time, and their range.

    Returns:
        tuple: Seconds and mean top-1 at the end.
    """
    points = [*zip(*(record['points'] for record in runs.records))]
    seconds = [mean(point['cpu_seconds'] for point in at) for at in points]
    scores = [[point['top1'] for point in at] for at in points]
    means = [*map(mean, scores)]
    axis.plot(seconds, means, color=color, lw=2, marker='o', ms=4)
    axis.fill_between(
        seconds, [*map(min, scores)], [*map(max, scores)],
        color=color,
        alpha=.2,
        lw=0)
    return seconds[-1], means[-1]


def draw_dataset(groups: Groups, data: str, path: Path) -> None:
    """Draw baseline, shortened baseline and multigrid on one dataset."""
    title, model, variant, shorter = PLOTS[data]
    base, ours, *others = (
        get(groups, data, model, *name)
        for name in [('baseline', {}), (variant, {}), *shorter.items()])
    goal = base.mean('top1') - NEAR
    sooner, later = goal_times(ours, base)
    figure = Figure(**SIZE)
    axis = figure.subplots()
    for runs, (label, color) in zip((base, ours, *others), LABELS):
        end, top1 = draw_curve(axis, runs, color)
        # Multigrid's label is left of where it reaches the goal.
        at, side = ((sooner or end, goal),
                    ABOVE) if runs is ours else ((end, top1), BELOW)
        axis.annotate(
            f'{label}\n{top1:.1f} %, seeds: {len(runs.records)}',
            at,
            color=color,
            bbox=dict(fc='w', ec='none', alpha=.7, pad=1),
            **side)
    axis.axhline(goal, color='k', ls='--', lw=1)
    axis.annotate(
        f'baseline less half a point: {goal:.1f} %', (1, goal),
        xycoords=('axes fraction', 'data'),
        **ABOVE)
    if sooner:
        axis.annotate(
            '', (sooner, goal + 12), (later, goal + 12),
            arrowprops=dict(arrowstyle='<->', shrinkA=0, shrinkB=0))
        axis.vlines((sooner, later), goal, goal + 12, color='k', lw=.5)
    axis.text(
        mean((sooner or later, later)),
        goal + 13,
        f'{later / sooner:.1f}x less CPU time'
        if sooner else 'multigrid does not reach it',
        ha='center',
        weight='bold')
    axis.set(
        xlabel='CPU time of training (s)',
        ylabel='accuracy (%), mean and range of seeds',
        title=title,
        xlim=(0, 1.32 * base.mean('cpu_seconds')),
        ylim=(0, 120),
        yticks=range(0, 101, 20))
    axis.grid(alpha=.3)
    figure.savefig(path)


def draw_schedule(info: dict, path: Path) -> None:
    """Draw shapes, batch and lr of a schedule against its epochs.

    Args:
        info (dict): What ``schedule --format json`` prints.
        path (Path): The picture.
    """
    figure = Figure(**SIZE)
    batch, lr = figure.subplots(2, 1, sharex=True)
    stages: Dict[str, List[dict]] = {}
    for stage in info['stages']:
        shape = '{1} frames x {2} pixels'.format(*stage['shapes'][-1])
        stages.setdefault(shape, []).append(stage)
    for (shape, same), color in zip(stages.items(), SHADES):
        batch.bar([stage['begin'] for stage in same],
                  [stage['shapes'][-1][0] for stage in same],
                  [stage['end'] - stage['begin'] for stage in same],
                  align='edge',
                  color=color,
                  ec='w',
                  label=shape)
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
    figure.savefig(path)


def draw(groups: Groups, docs: Path) -> None:
    """Draw all plots, and the schedule that README shows.

    Args:
        groups (Groups): Runs of the study.
        docs (Path): Folder of the pages.
    """
    for data in PLOTS:
        draw_dataset(groups, data, docs / 'results' / f'{data}.png')
    info = json.loads(subprocess.check_output(SCHEDULE))
    draw_schedule(info, docs / 'schedule.png')
