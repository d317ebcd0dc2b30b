"""Train a small SlowFast twice on moving digits, as usual and with multigrid, and show who was where when.

    python tools/study/demo.py [--work-dir work_dirs/demo] [--out demo.png]

Makes a data set of real video files first (tools/data/moving_digits.py). Both runs take about seven minutes on two cores.
"""

import argparse
import logging
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import torch
from mmaction.registry import HOOKS, RUNNERS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import mmaction_multigrid  # noqa: F401  heals and registers before a config asks for anything
from mmaction_multigrid.cli.report import print_runs
from mmaction_multigrid.plan.drawing import draw_runs
from mmaction_multigrid.plan.runs import read_run

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = dict(
    baseline='slowfast-tiny_1xb8-16x1x1-steplr-6e_moving-digits-rgb.py',
    multigrid='slowfast-tiny-multigrid_1xb8-16x1x1-steplr-9e_moving-digits-rgb.py')


@HOOKS.register_module()
class DemoHook(Hook):
    """Moves a progress bar.

    Args:
        name (str): What the bar is called.
    """
    priority = 'LOWEST'

    def __init__(self, name: str) -> None:
        self.name = name

    def before_train(self, runner) -> None:
        """Start the bar."""
        self.progress = Progress(TextColumn('{task.description:28}'), BarColumn(), MofNCompleteColumn(),
                                 TimeElapsedColumn(), TimeRemainingColumn())
        self.progress.start()
        self.task = self.progress.add_task(self.name, total=runner.max_iters)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Move the bar."""
        self.progress.advance(self.task)

    def after_val_epoch(self, runner, metrics=None) -> None:
        """Say where the run is."""
        self.progress.update(self.task, description=f'{self.name}: {100 * metrics["acc/top1"]:.1f} % top-1')

    def after_train(self, runner) -> None:
        """Stop the bar."""
        self.progress.stop()


def make_videos(data: Path) -> None:
    """Make the data set, unless it is there."""
    subprocess.run([sys.executable, str(ROOT / 'tools' / 'data' / 'moving_digits.py'), str(data)], check=True)


def train(name: str, data: Path, work_dir: Path, seed: int, workers: int) -> None:
    """Train one of the two; its log goes to its work dir."""
    cfg = Config.fromfile(str(ROOT / 'configs' / 'recognition' / 'slowfast' / CONFIGS[name]))
    for split in ('train', 'val'):
        cfg[f'{split}_dataloader'].num_workers = workers
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.ann_file, dataset.data_prefix = str(data / f'{split}.txt'), dict(video=str(data))
    cfg.work_dir = str(work_dir / name)
    cfg.randomness = dict(seed=seed)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.custom_hooks = [dict(type='DemoHook', name=name)]
    shutil.rmtree(cfg.work_dir, ignore_errors=True)  # of an earlier demo
    with open(os.devnull, 'w') as nowhere, redirect_stdout(nowhere):  # what is logged is in the file
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        handlers = [handler for handler in runner.logger.handlers if type(handler) is logging.StreamHandler]
        for handler in handlers:
            runner.logger.removeHandler(handler)
    runner.train()


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
    for name in CONFIGS:
        train(name, args.data, args.work_dir, args.seed, half)
    runs = [read_run(args.work_dir / name) for name in CONFIGS]
    title = 'Moving digits, small SlowFast, from scratch'
    print_runs(runs, title)
    draw_runs(runs, args.out, title)
    print(f'plot: {args.out}')


if __name__ == '__main__':
    main()
