"""Train a small SlowFast twice on moving digits, as usual and with multigrid, and show who was where when.

    python tools/study/demo.py [--work-dir work_dirs/demo] [--out demo.png]

Makes a data set of real video files and a grid store of it first. Both runs take about five minutes on two cores.
"""

import argparse
import logging
import os
import shutil
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Dict, List

import torch
import variants
from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.live import Live
from rich.table import Table

import mmaction_multigrid  # noqa: F401  heals and registers before a config asks for anything
from mmaction_multigrid.__main__ import main as command
from mmaction_multigrid.cli.report import print_runs
from mmaction_multigrid.profiling.drawing import draw_runs
from mmaction_multigrid.profiling.runs import Run, read_run

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = dict(zip(('baseline', 'multigrid'), variants.CONFIGS['slowfast', 'noisy']))
COLUMNS = ('run', 'epoch', 'iteration', 'batch', 'top-1', 'time', 'left')
NEAR = 0.5  # points below the baseline's end that count as its accuracy
# The set has more clips to validate on than to train on, which would take half an epoch's time: few validations, on half
# of them, are about the share of the time that it takes on a large data set.
VALIDATIONS = {'train_cfg.val_begin': 4, 'train_cfg.val_interval': 4}, {'multigrid.eval_freq': 1}


class Board:
    """Where both runs are, as a table that is drawn anew while they go on."""

    def __init__(self) -> None:
        self.rows: Dict[str, List[str]] = {name: [''] * (len(COLUMNS) - 1) for name in CONFIGS}

    def __rich__(self) -> Table:
        table = Table()
        for column in COLUMNS:
            table.add_column(column, justify='left' if column == 'run' else 'right', min_width=len(column))
        for name, cells in self.rows.items():
            table.add_row(name, *cells)
        return table


class BoardHook(Hook):
    """Writes a run's row of the board.

    Args:
        board (Board): The board.
        name (str): The run.
    """
    priority = 'LOWEST'

    def __init__(self, board: Board, name: str) -> None:
        self.board, self.name, self.score = board, name, '-'

    def before_train(self, runner) -> None:
        """Start the clock."""
        self.begin = time.monotonic()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Write how far the run is; its iterations take about equally long."""
        clips, done, spent = data_batch['inputs'], runner.iter + 1, time.monotonic() - self.begin
        frames, crop = clips[0].shape[-3], clips[0].shape[-1]
        self.board.rows[self.name] = [
            f'{runner.epoch + 1}/{runner.max_epochs}', f'{done}/{runner.max_iters}', f'{len(clips)} x {frames} x {crop}',
            self.score, f'{spent:.0f} s', f'{spent / done * (runner.max_iters - done):.0f} s']

    def after_val_epoch(self, runner, metrics=None) -> None:
        """Write how good it is."""
        self.score = self.board.rows[self.name][3] = f'{100 * metrics["acc/top1"]:.1f} %'


def make_videos(data: Path) -> None:
    """Make the data set, unless it is there."""
    subprocess.run([sys.executable, str(ROOT / 'tools' / 'data' / 'moving_digits.py'), str(data),
                    *variants.MADE['noisy'].split()], check=True)


def config_path(name: str) -> Path:
    """The config of one of the two."""
    return ROOT / 'configs' / 'recognition' / CONFIGS[name]


def build_store(data: Path) -> Path:
    """Make what is missing of the grid store, beside the data."""
    store = data.with_name(f'{data.name}_store')
    command(['store', 'build', str(data / 'train.txt'), str(store), '--root', str(data),
             '--config', str(config_path('multigrid'))])
    return store


def train(name: str, data: Path, store: Path, work_dir: Path, seed: int, workers: int, board: Board) -> None:
    """Train one of the two; its log goes to its work dir."""
    cfg = Config.fromfile(str(config_path(name)))
    for split in ('train', 'val'):
        cfg[f'{split}_dataloader'].num_workers = workers
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.ann_file, dataset.data_prefix = str(data / f'{split}.txt'), dict(video=str(data))
    cfg.merge_from_dict(VALIDATIONS['multigrid' in cfg])
    clips = len((data / 'val.txt').read_text().splitlines())
    cfg.val_dataloader.dataset.indices = list(range(clips // 2))  # classes take turns
    if 'multigrid' in cfg:
        cfg.multigrid.grid_store = str(store)
    cfg.work_dir = str(work_dir / name)
    cfg.randomness = dict(seed=seed)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    shutil.rmtree(cfg.work_dir, ignore_errors=True)  # of an earlier demo
    with open(os.devnull, 'w') as nowhere, redirect_stdout(nowhere):  # what is logged is in the file
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        handlers = [handler for handler in runner.logger.handlers if type(handler) is logging.StreamHandler]
        for handler in handlers:
            runner.logger.removeHandler(handler)
    runner.register_hook(BoardHook(board, name))
    runner.train()


def verdict(base: Run, ours: Run) -> List[str]:
    """Two lines: how much faster the second run came to the first one's accuracy, and where both were at its end."""
    goal = base.end.score - NEAR
    times = base.time_to(goal), ours.time_to(goal)
    if times[1] is None:
        first = f'{ours.name} did not come to {goal:.1f} %, {NEAR} below where {base.name} ends'
    else:
        first = (f'to {goal:.1f} %: {base.name} {times[0]:.0f} s, {ours.name} {times[1]:.0f} s, '
                 f'{times[0] / max(times[1], 1):.2f}x faster')  # logs count whole seconds
    seen = [point.score for point in base.points if point.seconds <= ours.end.seconds]
    score = f'{seen[-1]:.1f} %' if seen else 'not yet evaluated'
    return [first, f'after {ours.end.seconds:.0f} s: {ours.name} {ours.end.score:.1f} %, {base.name} {score}']


def main() -> None:
    """Make the data, train both, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', type=Path, default=ROOT / variants.FOLDERS['noisy'], help='where the videos go')
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'demo', help='where the runs go')
    parser.add_argument('--out', type=Path, default=ROOT / 'demo.png', help='plot to write')
    parser.add_argument('--seed', type=int, default=0, help='of both runs')
    args = parser.parse_args()
    make_videos(args.data)
    store = build_store(args.data)
    # Half of the cores train, the others load, in both runs: more threads than cores would only wait for each other.
    half = min(8, max(1, len(os.sched_getaffinity(0)) // 2))
    torch.set_num_threads(half)
    print(f'training on {half} cores and loading on {half}; logs are in {args.work_dir}')
    board = Board()
    with Live(board, refresh_per_second=2):
        for name in CONFIGS:
            train(name, args.data, store, args.work_dir, args.seed, half, board)
    print()
    runs = [read_run(args.work_dir / name) for name in CONFIGS]
    title = 'Noisy digits, small SlowFast, from scratch'
    print_runs(runs)
    draw_runs(runs, args.out, title)
    print(f'plot: {args.out}', *verdict(*runs), sep='\n')


if __name__ == '__main__':
    main()
