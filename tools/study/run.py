"""Train the runs of a study one after the other, and write what each did to a JSON file.

    python tools/study/run.py MODEL [--data DATA] [--seeds 0 1] [--variants baseline ...] [--set KEY=NUMBER]

MODEL is slowfast, i3d, i3d-nl, mvit or timesformer, or, for a GPU, slowfast-r50 or i3d-r50 on utd. With utd7 a
baseline on 20 of UTD-MHAD's 27 actions is fine-tuned on the other 7; it is trained first. A run that is finished is
left out and one that was cut off goes on from its last checkpoint, so that the same command starts and resumes a
study. Prints a table at its end; of the records in docs/results/runs tools/study/report.py makes the tables and plots
of docs/results.
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

import report
import variants

ROOT = Path(__file__).resolve().parents[2]


def make_hook(path: Path, record: dict):
    """The hook that writes down where a run is; made here, where mmengine is imported by the run's own process."""
    from mmengine.hooks import Hook

    class StudyHook(Hook):
        """Times of training, validation left out, and top-1 and the mean loss since the last one at every validation.

        ``seconds`` is wall-clock from the first iteration, ``data_seconds`` of it waiting for clips, ``compute_seconds``
        in iterations, the rest precise BN and checkpoints; ``cpu_seconds`` is CPU time of this process, without the
        loader's. After a resume the clocks go on from the last validation.
        """
        priority = 'LOWEST'

        def before_train(self, runner) -> None:
            points = record['points'] = [point for point in record['points'] if point['iterations'] <= runner.iter]
            last = points[-1] if points else {}
            self.times = {key: last.get(key, 0.) for key in ('data_seconds', 'compute_seconds', 'other_seconds')}
            self.cpu, self.clips = last.get('cpu_seconds', 0.), last.get('clips', 0)
            self._restart()

        def _restart(self) -> None:
            self.losses = []
            self.mark, self.cpu_mark = time.perf_counter(), time.process_time()

        def _lap(self, key: str) -> None:
            now = time.perf_counter()
            self.times[key] += now - self.mark
            self.mark = now

        def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
            self._lap('data_seconds')
            self.clips += len(data_batch['data_samples'])

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            self._lap('compute_seconds')
            self.losses.append(outputs['loss'].detach())

        def before_val_epoch(self, runner) -> None:
            self._lap('other_seconds')
            self.cpu += time.process_time() - self.cpu_mark

        def after_val_epoch(self, runner, metrics=None) -> None:
            point = dict(epoch=runner.epoch, iterations=runner.iter, clips=self.clips,
                         top1=100 * float(metrics['acc/top1']), seconds=sum(self.times.values()), **self.times,
                         cpu_seconds=self.cpu, loss=float(sum(self.losses)) / max(1, len(self.losses)))
            record['points'].append({key: round(value, 2) for key, value in point.items()})
            record['load_average'].append(round(os.getloadavg()[0], 2))
            write(path, record)
            print(f'  {point["iterations"]} iterations, {point["seconds"]:.0f} s: {point["top1"]:.1f} %', flush=True)
            self._restart()

        def after_train(self, runner) -> None:
            record['finished'] = True
            write(path, record)

    return StudyHook()


def write(path: Path, record: dict) -> None:
    """Write a record, whole or not at all."""
    part = path.with_suffix('.part')
    part.write_text(json.dumps(record, indent=1) + '\n')
    part.replace(path)


def train(job: dict, path: Path, work_dir: Path) -> None:
    """Train one run, in a process of its own."""
    import torch
    from mmengine.runner import Runner
    torch.set_num_threads(1)
    cfg, schedule = variants.build(job['model'], job['data'], job['variant'], job['conditions'])
    cfg.work_dir, cfg.randomness = str(work_dir), dict(seed=job['seed'])
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers = job.get('workers') or loader.num_workers
    cfg.resume = (work_dir / 'last_checkpoint').exists()
    if job['data'] == 'utd7' and not cfg.resume:
        cfg.load_from = (work_dir.parent / run_name(pretraining(job)) / 'last_checkpoint').read_text()
    cfg.log_level = 'WARNING'
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    record = json.loads(path.read_text()) if path.exists() else dict(points=[], load_average=[])
    record.update(job, finished=False, predicted_speedup=round(schedule.predicted_speedup, 3),
                  gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
                  machine=f'{platform.system()} {platform.machine()}, one thread of {os.cpu_count()} cores, '
                          f'torch {torch.__version__}')
    runner = Runner.from_cfg(cfg)
    runner.register_hook(make_hook(path, record))
    runner.train()


def run_name(job: dict) -> str:
    """Name of a run's record."""
    conditions = ''.join(f'_{key}-{value:g}' for key, value in sorted(job['conditions'].items()))
    return f'{job["model"]}_{job["data"]}_{job["variant"]}{conditions}_seed{job["seed"]}'


def pretraining(job: dict) -> dict:
    """The run that a fine-tuned one starts from, whatever its seed."""
    return dict(job, data='utd20', variant='baseline', conditions=dict(epochs=35), seed=0)


def make_data(model: str, data: str, names: list) -> None:
    """Make the digits unless they are there, and what of UTD-MHAD is derived; itself, it comes from its authors."""
    folder = str(variants.FOLDERS.get(data, variants.FOLDERS['utd']))
    if data in variants.MADE:
        subprocess.run([sys.executable, str(ROOT / 'tools' / 'data' / 'moving_digits.py'), folder,
                        *variants.MADE[data].split()], check=True)
    elif not Path(folder, 'train.txt').exists():
        sys.exit(f'{folder} is not there: get UTD-MHAD from its authors')
    elif data == 'utd7':
        variants.write_lists('utd20')
        variants.write_lists('utd7')
    if any(name.startswith('store') for name in names):
        small = ('28', '40') if data in variants.MADE else ('80', '114')
        sides = ('128', '181') if model in variants.FULL_SIZE else small
        subprocess.run([sys.executable, '-m', 'mmaction_multigrid', 'store', 'build', f'{folder}/train.txt',
                        f'{folder}_store', '--root', folder, '--sides', *sides], check=True)


def parse_condition(text: str) -> tuple:
    """Read KEY=NUMBER."""
    key, _, value = text.partition('=')
    try:
        return key, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r}: must be KEY=NUMBER') from None


def main() -> int:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', choices=sorted({model for model, _ in variants.CONFIGS}))
    parser.add_argument('--data', choices=[*variants.FOLDERS, 'utd7'], default='digits',
                        help='default: digits')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1], help='default: 0 1')
    parser.add_argument('--variants', nargs='+', default=['baseline', 'multigrid', 'baseline-short'],
                        help='of tools/study/variants.py; default: baseline multigrid baseline-short')
    parser.add_argument('--set', type=parse_condition, nargs='+', default=[], metavar='KEY=NUMBER',
                        help='other conditions: clips, epochs, lr, stride, batch')
    parser.add_argument('--workers', type=int, help="of the loaders; default: the config's")
    parser.add_argument('--alone', action='store_true',
                        help='nothing else runs on this machine: reports compare the times of such runs only, if any')
    parser.add_argument('--out', type=Path, default=ROOT / 'work_dirs' / 'study' / 'runs',
                        help='where the records go; default: work_dirs/study/runs')
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'study', help='where checkpoints go')
    args = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'
    make_data(args.model, args.data, args.variants)
    args.out.mkdir(parents=True, exist_ok=True)
    jobs = [dict(model=args.model, data=args.data, variant=variant, conditions=dict(args.set), seed=seed,
                 workers=args.workers, alone=args.alone)
            for seed in args.seeds for variant in args.variants]
    if args.data == 'utd7':
        jobs.insert(0, pretraining(jobs[0]))
    failed = run_all(jobs, args.out, args.work_dir)
    print(report.variant_table(report.read(args.out), args.model, args.data, args.variants,
                                     tuple(sorted(dict(args.set).items()))))
    return failed


def run_all(jobs: list, out: Path, work_dir: Path) -> int:
    """Train the jobs that are not finished; the number of those that failed."""
    failed = 0
    for number, job in enumerate(jobs, 1):
        name = run_name(job)
        path = out / f'{name}.json'
        print(f'[{number}/{len(jobs)}] {name}', flush=True)
        if path.exists() and json.loads(path.read_text())['finished']:
            print('  finished before')
            continue
        # A process of its own: mmengine keeps loggers and visualizers in globals.
        process = multiprocessing.get_context('spawn').Process(target=train, args=(job, path, work_dir / name))
        process.start()
        process.join()
        failed += process.exitcode != 0
    return failed


if __name__ == '__main__':
    sys.exit(main())
