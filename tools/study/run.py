"""Train the runs of a study in turn, and record each in a line of JSON.

    python tools/study/run.py MODEL [--data DATA] [--seeds 0 1]
                              [--variants baseline ...] [--set KEY=NUMBER]

MODEL is slowfast, i3d, i3d-nl, tsn, tsm, mvit or timesformer. ``--data ava``
trains a SlowFast detector, and needs mmdet and mmcv with operations. With utd7
a baseline on 20 of UTD-MHAD's 27 actions is trained first, and fine-tuned on
the other 7. ``--set finetune=1`` starts from a baseline on the digits. A
finished run is left out, and one that was cut off goes on from its last
checkpoint, so that the same command starts and resumes a study. It prints a
table at its end. With ``--out docs/results`` the records are added to those
that tools/study/report.py reads.
"""

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Optional

import decoded
import records
import report
import study_configs
import torch
from mmengine.config import DictAction
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmaction.registry import TRANSFORMS

WORK_DIR = report.ROOT / 'work_dirs' / 'study'  # for the checkpoints
BOXES = 'mAP/overall'  # of AVAMetric, in the place of top-1


class StudyHook(Hook):
    """Record CPU time of training and of loading, and top-1 or mAP.

    ``cpu_seconds`` is the CPU time of this process without its validations
    and without ``loading_seconds``. Both add up over resumed runs.

    Args:
        path (Path): File for the record, written at each validation.
        record (dict): The record.
    """
    priority = 'LOWEST'

    def __init__(self, path: Path, record: dict) -> None:
        self.path, self.record = path, record

    def before_train(self, runner) -> None:
        """Restore the clocks as they were at the last validation."""
        points = self.record['points'] = [
            point for point in self.record['points']
            if point['iterations'] <= runner.iter
        ]
        last = points[-1] if points else {}
        self.training = last.get('cpu_seconds', 0.)
        self.loading = last.get('loading_seconds', 0.)
        self.mark = time.process_time()

    def _lap(self) -> float:
        begin, self.mark = self.mark, time.process_time()
        return self.mark - begin

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Stop the clock of loading."""
        self.loading += self._lap()

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs=None) -> None:
        """Stop the clock of training."""
        self.training += self._lap()

    def before_val_epoch(self, runner) -> None:
        """Add precise BN to training, with its clips."""
        self.training += self._lap()

    def after_val_epoch(self, runner, metrics=None) -> None:
        """Record a validation."""
        point = dict(
            epoch=runner.epoch,
            iterations=runner.iter,
            top1=100 * float(metrics.get('acc/top1', metrics.get(BOXES))),
            cpu_seconds=self.training,
            loading_seconds=self.loading)
        self.record['points'].append(
            {key: round(value, 2)
             for key, value in point.items()})
        part = self.path.with_suffix('.part')
        part.write_text(json.dumps(self.record))
        part.replace(self.path)  # whole or not at all
        print(
            f'  {point["iterations"]} iterations, '
            f'{self.training:.0f} s of CPU time: {point["top1"]:.1f} %',
            flush=True)
        self.mark = time.process_time()


def train(job: dict, out: Path, work_dir: Path) -> None:
    """Train one run, in a process of its own, and append its record."""
    torch.set_num_threads(1)
    TRANSFORMS.register_module(
        'DecordInit', force=True, module=decoded.InitDecoded)
    cfg, schedule = study_configs.build(job['model'], job['data'],
                                        job['variant'], job['conditions'])
    cfg.work_dir, cfg.randomness = str(work_dir), dict(seed=job['seed'])
    cfg.resume = (work_dir / 'last_checkpoint').exists()
    before = pretraining(job)
    if before and not cfg.resume:
        cfg.load_from = (work_dir.parent / run_name(before) /
                         'last_checkpoint').read_text()
    cfg.log_level = 'WARNING'
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    path = work_dir / 'record.json'  # until the run is finished
    record = dict(
        job,
        commit=subprocess.check_output(
            ('git', 'describe', '--always', '--dirty'),
            cwd=report.ROOT,
            text=True).strip(),
        machine=f'{platform.system()} {platform.machine()}, one thread of '
        f'{os.cpu_count()} cores, torch {torch.__version__}',
        predicted_speedup=round(schedule.predicted_speedup, 3),
        points=json.loads(path.read_text())['points'] if path.exists() else [])
    runner = Runner.from_cfg(cfg)
    for weights in runner.model.parameters():
        if weights.dim() == 5:  # up to 1.6x faster on a CPU
            weights.data = weights.data.contiguous(
                memory_format=torch.channels_last_3d)
    runner.register_hook(StudyHook(path, record))
    runner.train()
    records.append(out / f'{job["data"]}.jsonl', record)


def run_name(job: dict) -> str:
    """Return the name of a run's work dir."""
    return '_'.join((job['model'], job['data'], job['variant'],
                     *(f'{key}-{value:g}'
                       for key, value in sorted(job['conditions'].items())),
                     f'seed{job["seed"]}'))


def pretraining(job: dict) -> Optional[dict]:
    """Describe the run that a fine-tuned one starts from, at any seed."""
    before = dict(job, variant='baseline', seed=0)
    if job['data'] == 'utd7':
        return dict(before, data='utd20', conditions=dict(epochs=35))
    if job['conditions'].get('finetune'):
        return dict(before, data='digits', conditions={})
    return None


def main() -> int:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'model', choices=sorted({model
                                 for model, _ in study_configs.CONFIGS}))
    parser.add_argument(
        '--data',
        choices=[*study_configs.FOLDERS, 'utd7'],
        default='digits',
        help='default: digits')
    parser.add_argument(
        '--seeds', type=int, nargs='+', default=[0, 1], help='default: 0 1')
    parser.add_argument(
        '--variants',
        nargs='+',
        choices=study_configs.VARIANTS,
        metavar='VARIANT',
        default=['baseline', 'multigrid'],
        help='%(choices)s; default: %(default)s')
    parser.add_argument(
        '--set',
        action=DictAction,
        nargs='+',
        default={},
        metavar='KEY=NUMBER',
        help='other conditions: epochs, lr, budget, finetune')
    parser.add_argument(
        '--out', type=Path, default=WORK_DIR, help='for the records')
    args = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'
    study_configs.make_data(args.data)
    jobs = [
        dict(
            model=args.model,
            data=args.data,
            variant=variant,
            conditions=dict(args.set, gpu=1)
            if torch.cuda.is_available() else args.set,
            seed=seed) for seed in args.seeds for variant in args.variants
    ]
    before = pretraining(jobs[0])
    if before:
        study_configs.make_data(before['data'])
        jobs.insert(0, before)
    failed = sum(run(job, args.out, WORK_DIR, job is before) for job in jobs)
    print(
        report.table(
            records.read(args.out), 'study', [[
                variant, ' '.join((args.data, args.model, variant,
                                   *(f'{key}={n}'
                                     for key, n in args.set.items())))
            ] for variant in args.variants]))
    return failed


def run(job: dict,
        out: Path,
        work_dir: Path,
        keeps_checkpoint: bool = False) -> bool:
    """Train a job unless it is finished; return whether it failed.

    Args:
        job (dict): What to train.
        out (Path): Folder of the records.
        work_dir (Path): Folder of the work dirs.
        keeps_checkpoint (bool): Whether a record without the work dir of its
            run does not do. Defaults to False.
    """
    name = run_name(job)
    print(name, flush=True)
    runs = records.read(out).get(records.key_of(job), records.Runs([]))
    if any(record['seed'] == job['seed']
           for record in runs.records) and (not keeps_checkpoint or
                                            (work_dir / name).exists()):
        return False
    # A process of its own: mmengine keeps loggers and visualizers in globals.
    process = multiprocessing.get_context('spawn').Process(
        target=train, args=(job, out, work_dir / name))
    process.start()
    process.join()
    return process.exitcode != 0


if __name__ == '__main__':
    sys.exit(main())
