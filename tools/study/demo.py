"""Train a small SlowFast as usual and with multigrid, and compare.

    python tools/study/demo.py [--work-dir work_dirs/demo] [--out demo.png]

Makes a dataset of real video files, of moving digits, and a grid store of it
first, in data/. Both runs take about five minutes on two cores.
"""

import argparse
import io
import os
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import List

import study_configs
import torch
import variants
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.cli.report import print_runs
from mmaction_multigrid.profiling.drawing import draw_runs
from mmaction_multigrid.profiling.runs import Run, read_run
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

ROOT = Path(__file__).resolve().parents[2]
NAMES = ('baseline', 'multigrid')
NEAR = 0.5  # points below the baseline's end that count as its accuracy
# Few validations, on half of the clips, take about the share of the time that
# they take on a large dataset: this one has many clips to validate on.
VALIDATIONS = {'train_cfg.val_begin': 4, 'train_cfg.val_interval': 4}


class ProgressHook(Hook):
    """Show iteration, shape of the batch and accuracy of a run.

    Args:
        progress (Progress): The display.
        name (str): The run.
    """
    priority = 'LOWEST'

    def __init__(self, progress: Progress, name: str) -> None:
        self.progress, self.name, self.score = progress, name, '-'

    def before_train(self, runner) -> None:
        """Add the row of the run."""
        self.task = self.progress.add_task(self.name, total=runner.max_iters)

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs=None) -> None:
        """Update the row."""
        clips = data_batch['inputs']
        shape = f'{len(clips)} x {clips[0].shape[-3]} x {clips[0].shape[-1]}'
        self.progress.update(
            self.task,
            advance=1,
            description=f'{self.name} {shape} top-1 {self.score}')

    def after_val_epoch(self, runner, metrics=None) -> None:
        """Keep the accuracy."""
        self.score = f'{100 * metrics["acc/top1"]:.1f} %'


def train(name: str, work_dir: Path, workers: int, progress: Progress) -> None:
    """Train one of the two; its log goes to its work dir."""
    cfg = study_configs.load('slowfast', 'noisy', name == 'multigrid')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers = workers
    dataset = cfg.val_dataloader.dataset
    clips = len(Path(dataset.ann_file).read_text().splitlines())
    dataset.indices = list(range(clips // 2))
    if 'multigrid' in cfg:
        variants.use_store(cfg)
        cfg.multigrid.eval_freq = 1
    else:
        cfg.merge_from_dict(VALIDATIONS)
    cfg.work_dir, cfg.randomness = str(work_dir / name), dict(seed=0)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    shutil.rmtree(cfg.work_dir, ignore_errors=True)  # of an earlier demo
    with redirect_stdout(io.StringIO()):  # the log's file has it, too
        runner = Runner.from_cfg(apply_multigrid(cfg))
    runner.register_hook(ProgressHook(progress, name))
    runner.train()


def verdict(base: Run, ours: Run) -> List[str]:
    """Compare times to the first run's accuracy, and accuracies in time."""
    goal = base.end.score - NEAR
    times = base.time_to(goal), ours.time_to(goal)
    if times[1] is None:
        first = (f'{ours.name} did not come to {goal:.1f} %, {NEAR} '
                 f'below where {base.name} ends')
    else:  # logs count whole seconds
        first = (f'to {goal:.1f} %: {base.name} {times[0]:.0f} s, '
                 f'{ours.name} {times[1]:.0f} s, '
                 f'{times[0] / max(times[1], 1):.2f}x faster')
    seen = [
        f'{point.score:.1f} %'
        for point in base.points if point.seconds <= ours.end.seconds
    ] or ['not yet evaluated']
    return [
        first, f'after {ours.end.seconds:.0f} s: {ours.name} '
        f'{ours.end.score:.1f} %, {base.name} {seen[-1]}'
    ]


def main() -> None:
    """Make the data, train both, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--work-dir',
        type=Path,
        help='where the runs go',
        default=ROOT / 'work_dirs' / 'demo')
    parser.add_argument(
        '--out', type=Path, default=ROOT / 'demo.png', help='plot to write')
    args = parser.parse_args()
    study_configs.make_data('noisy', ['store'])
    # More threads than cores would only wait for each other.
    half = min(8, max(1, len(os.sched_getaffinity(0)) // 2))
    torch.set_num_threads(half)
    print(f'training on {half} cores and loading on {half}; '
          f'logs are in {args.work_dir}')
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(),
                  TimeElapsedColumn()) as progress:
        for name in NAMES:
            train(name, args.work_dir, half, progress)
    runs = [read_run(args.work_dir / name) for name in NAMES]
    print_runs(runs)
    draw_runs(runs, args.out, 'Noisy digits, small SlowFast, from scratch')
    print(f'plot: {args.out}', *verdict(*runs), sep='\n')


if __name__ == '__main__':
    main()
