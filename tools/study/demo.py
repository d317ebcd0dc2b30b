"""Train a small SlowFast as usual and with multigrid, and compare.

    python tools/study/demo.py [--seed 0]

Makes a dataset of real video files, of moving digits, and a grid store of it
first, in data/. Both runs take about seven minutes on two cores; their logs
are in work_dirs/demo, and the plot is demo.png.
"""

import argparse
import io
import os
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import study_configs
import torch
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.__main__ import main as command
from mmengine.runner import Runner
from run import StudyHook

ROOT = Path(__file__).resolve().parents[2]
WORK_DIR, PLOT = ROOT / 'work_dirs' / 'demo', ROOT / 'demo.png'
STORE = Path(f'{study_configs.folder_of("demo")}_store')
NAMES = ('baseline', 'multigrid')


def make_data() -> None:
    """Make the videos, and a frame store of them."""
    study_configs.make_data('demo')
    videos = study_configs.folder_of('demo')
    command([
        'store', 'build', f'{videos}/train.txt',
        str(STORE), '--root',
        str(videos), '--sides', '28', '40'
    ])


def train(name: str, workers: int, seed: int) -> None:
    """Train one of the two; its log goes to its work dir."""
    cfg = study_configs.load('slowfast', 'demo', name == 'multigrid')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers = workers
    # Few validations take about the share of the time that they take on a
    # large dataset.
    if 'multigrid' in cfg:
        cfg.multigrid.update(grid_store=str(STORE), eval_freq=1)
    else:
        cfg.train_cfg.update(val_begin=1, val_interval=9)
    cfg.work_dir, cfg.randomness = str(WORK_DIR / name), dict(seed=seed)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    shutil.rmtree(cfg.work_dir, ignore_errors=True)  # of an earlier demo
    with redirect_stdout(io.StringIO()):  # the log's file has it, too
        runner = Runner.from_cfg(apply_multigrid(cfg))
    print(name)
    runner.register_hook(
        StudyHook(WORK_DIR / name / 'record.json', dict(points=[])))
    runner.train()


def main() -> None:
    """Make the data, train both, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--seed', type=int, default=0, help='of both runs; default: 0')
    seed = parser.parse_args().seed
    make_data()
    # More threads than cores would only wait for each other.
    half = min(8, max(1, len(os.sched_getaffinity(0)) // 2))
    torch.set_num_threads(half)
    print(f'training on {half} cores and loading on {half}; '
          f'logs are in {WORK_DIR}')
    for name in NAMES:
        train(name, half, seed)
    command([
        'report', *(str(WORK_DIR / name) for name in NAMES), '--out',
        str(PLOT)
    ])


if __name__ == '__main__':
    main()
