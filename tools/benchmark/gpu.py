"""Measure training steps, and a short run, on one GPU as lines of JSON.

    python tools/benchmark/gpu.py [CONFIG ...] [--store STORE] [--out FILE]

Runs steps on random clips at every shape: with 8 and with 32 base clips, in
fp32 and in bfloat16, eager and compiled. No measurement begins after
``--minutes``. With ``--store`` it then trains the first config, whose data
must be there, for some hundred iterations, and records the share of time that
is spent waiting for clips. With the lines in docs/results/gpu.jsonl,
tools/study/report.py fills in the table of docs/results.md.
"""

import argparse
import itertools
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Optional

import torch
from mmaction_multigrid import apply_multigrid, multigrid_schedule
from mmaction_multigrid.config.auto import count_clips
from mmaction_multigrid.config.describe import count_iterations
from mmaction_multigrid.core.stages import bn_group_size
from mmaction_multigrid.profiling.steps import profile_steps, schedule_shapes
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

RECOGNITION = Path(__file__).parents[2] / 'configs' / 'recognition'
CONFIGS = [
    RECOGNITION / name for name in (
        'slowfast/slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-'
        'rgb.py', 'i3d/i3d_imagenet-pretrained-r50-multigrid_8xb8-32x2x1-150e_'
        'kinetics400-rgb.py')
]
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
ITERATIONS = 200  # of the short run


class TimesHook(Hook):
    """Keep the seconds of each iteration, and those of waiting for clips."""
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.times = dict(time=[], data_time=[])

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs=None) -> None:
        """Read what ``IterTimerHook`` measured."""
        for name, values in self.times.items():
            values.append(
                runner.message_hub.get_scalar(f'train/{name}').current())


def measure_steps(cfg: Config, batch_size: int, precision: str,
                  backend: Optional[str]) -> dict:
    """Measure a step at every shape; the record of one config."""
    schedule, _ = multigrid_schedule(cfg, clips=240_000)
    wrapper = dict(cfg.optim_wrapper)
    if precision == 'bfloat16':
        wrapper['type'] = 'BFloat16OptimWrapper'
    shapes = schedule_shapes(schedule)
    profiles = profile_steps(
        cfg.model,
        shapes,
        batch_size,
        bn_group_size(None, batch_size),
        DEVICE,
        optim_wrapper=wrapper,
        pipeline=cfg.train_dataloader.dataset.pipeline,
        compile_backend=backend)
    return dict(
        base_epochs=schedule.base.max_epochs,
        stages=[[
            stage.epochs,
            [[batch_size * shape.batch_factor, *shape[1:]]
             for shape in stage.shapes]
        ] for stage in schedule.stages],
        steps=[
            dict(
                clips=profile.clips,
                frames=profile.shape.num_frames,
                crop=profile.shape.crop_size,
                seconds=profile.seconds,
                error=profile.error,
                memory_mib=(profile.peak_memory or 0) // 2**20)
            for profile in profiles
        ])


def train(cfg: Config, store: str) -> dict:
    """Train from a store for some iterations; the record of one config."""
    schedule, _ = multigrid_schedule(cfg)
    clips = count_clips(cfg.train_dataloader)
    share = ITERATIONS / count_iterations(
        schedule, cfg.train_dataloader.batch_size, clips)
    cfg.multigrid.update(
        grid_store=store,
        precise_bn=0,
        epoch_factor=share * schedule.settings.epoch_factor)
    cfg.update(
        dict.fromkeys(f'{split}_{key}' for split in ('val', 'test')
                      for key in ('cfg', 'dataloader', 'evaluator')))
    hook = TimesHook()
    with TemporaryDirectory() as cfg.work_dir:
        runner = Runner.from_cfg(apply_multigrid(cfg))
        runner.register_hook(hook)
        runner.train()
    seconds, waiting = map(sum, hook.times.values())
    return dict(
        iterations=len(hook.times['time']),
        seconds=seconds,
        waiting=waiting / seconds)


def main() -> None:
    """Measure, and write one line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('configs', metavar='CONFIG', nargs='*', default=CONFIGS)
    add('--store', help='frame store of the first config')
    add('--out', type=Path, default=Path('gpu.jsonl'), help='to append to')
    add('--batch-sizes', type=int, nargs='+', default=[8, 32])
    add('--backend', default='inductor', help='of torch.compile')
    add('--minutes', type=float, default=9., help='default: 9')
    args = parser.parse_args()
    init_default_scope('mmaction')
    torch._dynamo.config.cache_size_limit = 64  # a graph for each shape
    end = time.monotonic() + 60 * args.minutes

    def measure(config: Path, variant: str, conditions: dict, work: Callable,
                *options) -> None:
        if time.monotonic() > end:
            return
        record = dict(
            data='gpu',
            model=Path(config).stem.split('-multigrid')[0],
            variant=variant,
            conditions=conditions,
            seed=0,
            config=Path(config).name,
            device=torch.cuda.get_device_name() if DEVICE == 'cuda' else 'CPU',
            torch=torch.__version__,
            **work(Config.fromfile(config), *options))
        with args.out.open('a') as file:
            file.write(json.dumps(record, separators=(',', ':')) + '\n')

    if args.store:
        measure(args.configs[0], 'run', {}, train, args.store)
    runs = itertools.product((False, True), args.batch_sizes, args.configs,
                             ('fp32', 'bfloat16'))
    for compiled, batch_size, config, precision in runs:
        conditions = dict(compiled=1) if compiled else {}
        if batch_size != 8:
            conditions['batch'] = batch_size
        measure(config, precision, conditions, measure_steps, batch_size,
                precision, args.backend if compiled else None)


if __name__ == '__main__':
    main()
