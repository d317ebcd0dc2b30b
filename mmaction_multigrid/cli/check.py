"""Measure a config: time, caps on the batch, workers, warnings."""

import argparse
import sys
from math import isfinite
from typing import Dict, List, Optional

import torch
from mmengine.config import Config

from ..config.auto import schedules_by_cap
from ..config.base import with_pipelines
from ..core.shapes import Shape
from ..core.stages import bn_group_size
from ..core.transform_rules import type_name
from ..profiling.forecast import (Forecast, MeasuredTimes, forecast,
                                  shapes_to_profile, workers_needed)
from ..profiling.start_report import data_warnings
from ..profiling.steps import (StepProfile, load_seconds, profile_steps,
                               schedule_shapes, shape_warnings)
from .common import (above_zero, add_config, format_time, load_config,
                     load_schedule, print_table)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_config(parser)
    add_data(parser)
    parser.add_argument(
        '--batch-size',
        type=above_zero(),
        metavar='N',
        help="base batch; default: the config's, on a CPU no "
        'more than 2, and times are scaled')
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='where to run')


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that replace the train data of a config."""
    parser.add_argument(
        '--list',
        metavar='LIST',
        help='annotation file to '
        "load clips of; default: the config's")
    parser.add_argument(
        '--root',
        metavar='VIDEOS',
        help="folder of the videos; default: the config's")
    parser.add_argument(
        '--store',
        metavar='STORE',
        help='a grid store of '
        "them; default: the config's, if it has one")


def run(args: argparse.Namespace) -> int:
    """Check a config."""
    cfg = load_config(args)
    dataset = set_data(cfg, args)
    schedule, _, clips = load_schedule(cfg, args)
    choices = {} if clips is None else schedules_by_cap(
        cfg, schedule.base, clips, args.processes)
    times = measure(cfg, shapes_to_profile(schedule, choices.values()),
                    dataset, args)
    shapes = schedule_shapes(schedule)
    shown = [profile for profile in times.profiles if profile.shape in shapes]
    print_steps(shown, schedule.base.shape)
    warnings = shape_warnings(schedule, shown)
    works = all(profile.works for profile in shown)
    if not clips:
        print('the dataset is not here: give --clips for the time that it '
              'takes and the warnings about its size')
    elif works:
        times = times._replace(clips=max(1, clips // args.processes))
    if works:
        found = forecast(schedule, times)
        print_forecast(found, clips, bool(times.loads))
        needed = workers_needed(schedule, times)
        if needed > max(1, times.workers):
            warnings.append(
                f'{needed} data workers keep up with training in every stage; '
                f'train_dataloader.num_workers = {times.workers}')
    if works and clips:
        print_choices({
            name: forecast(choice, times)
            for name, choice in choices.items()
        }, found)
        warnings += data_warnings(shapes, times.batch_size * args.processes,
                                  clips, found.iterations,
                                  found.base_iterations)
    for text in warnings:
        print(f'WARNING: {text}')
    return int(not works)


def set_data(cfg: Config, args: argparse.Namespace) -> dict:
    """Put the command line's list, folder and store into a config.

    Returns:
        dict: The train dataset inside of its wrappers.

    Raises:
        ValueError: It is made of several.
    """
    dataset, *others = with_pipelines(cfg.train_dataloader.dataset)
    if others and (args.list or args.root):
        raise ValueError(
            '--list, --root: train_dataloader.dataset is made of several '
            'datasets; set their lists with --cfg-options')
    if args.list:
        dataset['ann_file'] = args.list
    if args.root:
        dataset['data_prefix'] = dict.fromkeys(
            dataset.get('data_prefix') or ['video'], args.root)
        dataset['data_root'] = None
    if args.store:
        cfg.multigrid.grid_store = args.store
    return dataset


def measure(cfg: Config, shapes: List[Shape], dataset: dict,
            args: argparse.Namespace) -> MeasuredTimes:
    """Measure loading and steps; progress goes to stderr.

    Raises:
        ValueError: Data that the command line names cannot be loaded.
    """
    configured, loads = cfg.train_dataloader.batch_size, {}
    print('loading', file=sys.stderr)
    try:
        loads = load_seconds(cfg, shapes)
    except Exception as error:  # whatever a dataset makes of missing files
        if args.list or args.root or args.store:
            raise ValueError('no clip can be loaded: '
                             f'{type(error).__name__}: {error}') from error
    views = 1
    if type_name(dataset.get('type', '')) == 'RepeatAugDataset':
        views = dataset.get('num_repeats', 4)
    # Of a single clip batch norm may have a single value.
    batch_size = args.batch_size or (min(2, configured)
                                     if args.device == 'cpu' else configured)
    profiles: List[StepProfile] = []
    for profile in profile_steps(
            cfg.model,
            shapes,
            batch_size * views,
            bn_group_size(cfg.multigrid.get('bn_base_size'), configured),
            args.device,
            optim_wrapper=cfg.optim_wrapper,
            pipeline=dataset['pipeline']):
        profiles.append(profile)
        print(
            f'step {len(profiles)} of {len(shapes)}: '
            f'{name_of(profile)}: {profile.seconds:.3f} s',
            file=sys.stderr,
            flush=True)
    return MeasuredTimes(
        profiles,
        configured,
        processes=args.processes,
        views=views,
        loads=loads,
        workers=cfg.train_dataloader.get('num_workers', 0))


def name_of(profile: StepProfile) -> str:
    """Describe the batch of a step: clips x frames x crop."""
    return ' x '.join(map(str, (profile.clips, *profile.shape[1:])))


def print_steps(profiles: List[StepProfile], base_shape: Shape) -> None:
    """Print one row per shape."""
    base = next(profile for profile in profiles if profile.shape == base_shape)
    print('one training step at every shape')
    print_table(
        ('clips x frames x crop', 'time', 'of the base shape', 'peak memory'),
        [(name_of(profile), f'{profile.seconds:.3f} s',
          f'{profile.seconds / base.seconds:.2f}' if profile.works else
          'failed', f'{profile.peak_memory / 2**20:.0f} MiB'
          if profile.peak_memory else '-') for profile in profiles])


def print_forecast(found: Forecast, clips: Optional[int],
                   loads: bool) -> None:
    """Print the speed-up, and where the time of both runs goes."""
    print(f'speed-up: {found.speedup:.2f}x at the measured times, '
          f'{found.schedule.predicted_speedup:.2f}x if all pixels took the '
          'same time; validation is left out' +
          ', and loading, since the data are not here' * (not loads))
    if clips:
        print(f'forecast for {clips} clips on this device')
        parts = {**found.parts, 'total': found.seconds}
        print_table(('', 'multigrid', 'base training'),
                    [(name, *map(format_time, seconds))
                     for name, seconds in parts.items()])


def print_choices(choices: Dict[str, Forecast], now: Forecast) -> None:
    """Print one row per cap, without those whose shapes fail."""
    print('what a cap on the batch costs and leaves')
    print_table(('max_batch_factor', 'iterations', 'of base training', 'time',
                 'times as fast', ''),
                [(name, str(found.iterations),
                  f'{100 * found.iterations / found.base_iterations:.0f} %',
                  format_time(found.seconds[0]), f'{found.speedup:.2f}',
                  'this config' *
                  (found.schedule.stages == now.schedule.stages))
                 for name, found in choices.items()
                 if isfinite(found.seconds[0])])
