"""Train a small SlowFast twice on moving digits, as usual and with multigrid, and show who was where when.

    python tools/demo.py [--work-dir work_dirs/demo] [--out demo.png]

Makes a data set of real video files first (tools/data/moving_digits.py). Both runs take about seven minutes on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch
from mmaction.registry import HOOKS, RUNNERS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

import mmaction_multigrid  # noqa: F401  heals and registers before a config asks for anything

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = dict(
    baseline='slowfast-tiny_1xb8-16x1x1-steplr-6e_moving-digits-rgb.py',
    multigrid='slowfast-tiny-multigrid_1xb8-16x1x1-steplr-9e_moving-digits-rgb.py')


@HOOKS.register_module()
class DemoHook(Hook):
    """Moves a progress bar and writes down top-1 against wall-clock, which runs from first to last iteration.

    Args:
        name (str): What the bar is called.
    """
    priority = 'LOWEST'
    curves = {}

    def __init__(self, name: str) -> None:
        self.name = name
        self.curve = DemoHook.curves[name] = []

    def before_train(self, runner) -> None:
        """Start clock and bar."""
        self.begin = time.perf_counter()
        self.progress = Progress(TextColumn('{task.description:28}'), BarColumn(), MofNCompleteColumn(),
                                 TimeElapsedColumn(), TimeRemainingColumn())
        self.progress.start()
        self.task = self.progress.add_task(self.name, total=runner.max_iters)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Move the bar."""
        self.progress.advance(self.task)

    def after_val_epoch(self, runner, metrics=None) -> None:
        """Write down where the run is."""
        top1 = 100 * metrics['acc/top1']
        self.curve.append((time.perf_counter() - self.begin, runner.iter, runner.epoch, top1))
        self.progress.update(self.task, description=f'{self.name}: {top1:.1f} % top-1')

    def after_train(self, runner) -> None:
        """Stop the bar."""
        self.progress.stop()


def make_videos(data: Path) -> None:
    """Make the data set, unless it is there."""
    subprocess.run([sys.executable, str(ROOT / 'tools' / 'data' / 'moving_digits.py'), str(data)], check=True)


def train(name: str, data: Path, work_dir: Path, seed: int, workers: int) -> list:
    """Train one of the two; returns (seconds, iterations, epochs, top-1 in percent) at each validation."""
    cfg = Config.fromfile(str(ROOT / 'configs' / 'recognition' / 'slowfast' / CONFIGS[name]))
    for split in ('train', 'val'):
        cfg[f'{split}_dataloader'].num_workers = workers
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.ann_file, dataset.data_prefix = str(data / f'{split}.txt'), dict(video=str(data))
    cfg.work_dir = str(work_dir / name)
    cfg.randomness = dict(seed=seed)
    cfg.log_level = 'WARNING'
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.custom_hooks = [dict(type='DemoHook', name=name)]
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.train()
    return DemoHook.curves[name]


def print_table(curves: dict) -> None:
    """Print both ends, and how they compare."""
    table = Table(title='Moving digits, small SlowFast, from scratch')
    for column in ('run', 'epochs', 'iterations', 'wall-clock', 'top-1'):
        table.add_column(column, justify='left' if column == 'run' else 'right')
    for name, curve in curves.items():
        seconds, iterations, epochs, top1 = curve[-1]
        table.add_row(name, str(epochs), str(iterations), f'{seconds:.0f} s', f'{top1:.1f} %')
    base, ours = curves['baseline'][-1], curves['multigrid'][-1]
    table.add_section()
    table.add_row('ratio', f'{ours[2] / base[2]:.2f}', f'{base[1] / ours[1]:.2f}x fewer',
                  f'{base[0] / ours[0]:.2f}x faster', f'{ours[3] - base[3]:+.1f}')
    Console().print(table)


def draw(curves: dict, path: Path) -> None:
    """Draw top-1 against wall-clock."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4))
    for name, curve in curves.items():
        axis.plot([point[0] for point in curve], [point[3] for point in curve], marker='o', label=name)
    axis.set(xlabel='wall-clock (s)', ylabel='top-1 (%)', title='Moving digits, small SlowFast, from scratch')
    axis.grid(alpha=.3)
    axis.legend(loc='lower right')
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Make the data, train both, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', type=Path, default=ROOT / 'data' / 'moving_digits', help='where the videos go')
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'demo', help='where the runs go')
    parser.add_argument('--out', type=Path, default=ROOT / 'demo.png', help='plot to write')
    parser.add_argument('--seed', type=int, default=0, help='of both runs')
    args = parser.parse_args()
    make_videos(args.data)
    # Half of the cores train, the others load, in both runs: more threads than cores would only wait for each other.
    half = min(8, max(1, len(os.sched_getaffinity(0)) // 2))
    torch.set_num_threads(half)
    print(f'training on {half} cores and loading on {half}; logs are in {args.work_dir}')
    curves = {name: train(name, args.data, args.work_dir, args.seed, half) for name in CONFIGS}
    (args.work_dir / 'demo.json').write_text(json.dumps(curves))
    draw(curves, args.out)
    print_table(curves)
    print(f'plot: {args.out}')


if __name__ == '__main__':
    main()
