"""Measure time, memory and loading of a config, and print warnings."""

import argparse
import math
import shlex
import sys
from contextlib import redirect_stdout
from typing import List, Optional

import torch
from mmengine.config import Config
from rich.console import Console
from rich.progress import track

from ..config.base import read_clip, with_pipelines
from ..config.describe import count_base_iterations, count_iterations
from ..core.schedule import MultigridSchedule
from ..core.shapes import Shape
from ..core.stages import bn_group_size
from ..core.transform_rules import type_name
from ..frame_store.estimate import (PARTS, draw_clips, estimate_store,
                                    first_dataset, time_clips)
from ..profiling.forecast import (MANY_CLIPS, MeasuredTimes, forecast,
                                  workers_needed)
from ..profiling.steps import (StepProfile, load_seconds, profile_steps,
                               schedule_shapes)
from ..profiling.warnings import data_warnings, shape_warnings
from .common import (above_zero, add_config, format_time, load_config,
                     load_schedule, print_table)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config(parser)
    parser.add_argument(
        '--batch-size',
        type=above_zero,
        metavar='N',
        help="base batch to measure; default: the config's, at most 2 on a CPU"
    )
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='device to measure on')


def run(args: argparse.Namespace) -> int:
    """Check a config."""
    cfg = load_config(args, plain=True)
    if 'multigrid' not in cfg:
        return check_plain(cfg, args)
    schedule, _, clips = load_schedule(cfg, args)
    shapes, loader = schedule_shapes(schedule), cfg.train_dataloader
    loads = measure_loading(cfg, shapes)
    batch_size = measured_batch(loader.batch_size, args)
    profiles = measure_steps(cfg, shapes, batch_size, args.device)
    print_steps(profiles, schedule.base.shape)
    warnings = shape_warnings(schedule, profiles)
    times = MeasuredTimes(
        {
            profile.shape: profile.seconds * loader.batch_size / batch_size
            for profile in profiles
        }, loader.batch_size, max(1, (clips or MANY_CLIPS) // args.processes),
        loads)
    counts = [
        count(schedule, times.batch_size, times.clips)
        for count in (count_iterations, count_base_iterations)
    ]
    if clips:
        warnings += data_warnings(shapes, loader.batch_size * args.processes,
                                  clips, *counts)
    else:
        print('the dataset is not here: give --clips to forecast the time '
              'and to get warnings about its size')
    works = all(profile.works for profile in profiles)
    if works:
        print_forecast(schedule, times, clips, counts)
        needed = workers_needed(schedule, times)
        if needed > loader.get('num_workers', 0):
            warnings.append('training waits for data; set '
                            f'train_dataloader.num_workers = {needed}')
    for text in warnings:
        print(f'WARNING: {text}')
    return int(not works)


def measured_batch(batch_size: int, args: argparse.Namespace) -> int:
    """Return the base batch to measure with, in clips."""
    # A CPU would take minutes per step at a full batch, and times are scaled.
    # A single clip could leave batch norm with a single value.
    return args.batch_size or (min(2, batch_size)
                               if args.device == 'cpu' else batch_size)


def check_plain(cfg: Config, args: argparse.Namespace) -> int:
    """Check loading and steps of a config without multigrid.

    Prints where the time of a clip goes, and what a frame store would save.
    """
    loader, found = cfg.train_dataloader, {}
    try:
        dataset = first_dataset(cfg)
        found['from originals'], clips = time_clips(dataset,
                                                    draw_clips(dataset))
        with redirect_stdout(sys.stderr):  # has a progress bar
            store = estimate_store(cfg, dataset, clips)
        found['from a frame store'] = store.parts
    except Exception as error:  # datasets raise errors of any type
        print(f'{"not from a frame store" if found else "no clip is loaded"}: '
              f'{type(error).__name__}: {error}')
    shape = Shape(1, *read_clip(loader)[:2])
    batch_size = measured_batch(loader.batch_size, args)
    profiles = measure_steps(cfg, [shape], batch_size, args.device)
    print_steps(profiles, shape)
    if not (found and profiles[0].works):
        return int(not profiles[0].works)
    step = profiles[0].seconds / batch_size  # for a clip
    print('loading a clip in one process')
    print_table(('', *found), [
        *((part, *(f'{1e3 * seconds:.1f} ms' for seconds in times))
          for part, times in zip(PARTS, zip(*found.values()))),
        ('train_dataloader.num_workers that keeps up',
         *(str(math.ceil(sum(times) / step)) for times in found.values())),
    ])
    if 'from a frame store' in found:
        config = shlex.quote(args.config)
        if args.cfg_options:
            config = ' '.join((config, '--cfg-options',
                               *(shlex.quote(f'{key}={value}')
                                 for key, value in args.cfg_options.items())))
        print(f'a frame store of {store.originals} videos takes about '
              f'{store.size / 2**30:.3g} GiB. Build it, and add two lines to '
              'the config:\n'
              f'mmaction-multigrid store build STORE --config {config}\n'
              "custom_imports = dict(imports=['mmaction_multigrid'], "
              'allow_failed_imports=False)\n'
              "custom_hooks = [dict(type='FrameStoreHook', store='STORE')]")
    return 0


def measure_loading(cfg: Config, shapes: List[Shape]) -> dict:
    """Measure loading if the data are here; progress goes to stderr."""
    print('loading', file=sys.stderr)
    try:
        return load_seconds(cfg, shapes)
    except Exception as error:  # datasets raise errors of any type
        print(
            f'no clip can be loaded: {type(error).__name__}: {error}',
            file=sys.stderr)
        return {}


def measure_steps(cfg: Config, shapes: List[Shape], batch_size: int,
                  device: str) -> List[StepProfile]:
    """Measure training steps, with a progress bar on stderr."""
    dataset = next(with_pipelines(cfg.train_dataloader.dataset))
    # RepeatAugDataset yields several clips of a video at once.
    repeats = type_name(dataset.get('type', '')) == 'RepeatAugDataset'
    views = dataset.get('num_repeats', 4) if repeats else 1
    profiles = profile_steps(
        cfg.model,
        shapes,
        batch_size * views,
        bn_group_size(
            cfg.get('multigrid', {}).get('bn_base_size'),
            cfg.train_dataloader.batch_size),
        device,
        optim_wrapper=cfg.optim_wrapper,
        pipeline=dataset['pipeline'])
    return list(
        track(profiles, 'steps', len(shapes), console=Console(stderr=True)))


def print_steps(profiles: List[StepProfile], base_shape: Shape) -> None:
    """Print one row per shape."""
    base = next(profile for profile in profiles if profile.shape == base_shape)
    print('one training step at every shape')
    print_table(('clips x frames x crop', 'time', 'relative', 'peak memory'), [
        (' x '.join(map(str, (profile.clips, *profile.shape[1:]))),
         f'{profile.seconds:.3f} s', f'{profile.seconds / base.seconds:.2f}' if
         profile.works else 'failed', f'{profile.peak_memory / 2**20:.0f} MiB'
         if profile.peak_memory else '-') for profile in profiles
    ])


def print_forecast(schedule: MultigridSchedule, times: MeasuredTimes,
                   clips: Optional[int], counts: List[int]) -> None:
    """Print the speed-up, and iterations and time of both runs."""
    ours, base = forecast(schedule, times)
    print(f'speed-up: {base / ours:.2f}x at the measured times, '
          f'{schedule.predicted_speedup:.2f}x if all pixels took the '
          'same time; loading and validation are left out')
    if clips:
        print(f'forecast for {clips} clips on this device, with '
              f'max_batch_factor = {schedule.settings.max_batch_factor}, '
              f'finish = {schedule.settings.finish!r}')
        print_table(('', 'multigrid', 'base training'),
                    [('iterations', *map(str, counts)),
                     ('training', format_time(ours), format_time(base))])
