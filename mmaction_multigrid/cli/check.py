"""Measure a config: hours, caps on the batch, workers, warnings."""

import argparse
import sys
from dataclasses import replace
from typing import Dict, List, Optional

import torch
from mmengine.config import Config

from ..config.base import with_pipelines
from ..config.settings import Settings
from ..core.schedule import MultigridSchedule
from ..core.shapes import Shape
from ..core.stages import bn_group_size
from ..core.transform_rules import type_name
from ..profiling.forecast import (Forecast, MeasuredTimes, compare_caps,
                                  fit_hours, forecast, shapes_to_profile,
                                  worker_rows)
from ..profiling.run_warnings import data_warnings
from ..profiling.steps import (StepProfile, load_seconds, profile_steps,
                               schedule_shapes, shape_warnings)
from .common import (above_zero, add_config, load_config, load_schedule,
                     print_table)


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
        '--hours',
        type=above_zero(float),
        help='time that there is: shows the longest schedule that fits')
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
    # Before 'auto' changed it.
    free = MultigridSchedule(
        schedule.base,
        replace(
            schedule.settings,
            max_batch_factor=None,
            short_cycle=Settings.from_dict(cfg.multigrid).short_cycle))
    wanted = shapes_to_profile(schedule, free)
    times = measure(cfg, schedule, wanted, dataset, args)
    shapes = schedule_shapes(schedule)
    shown = [profile for profile in times.profiles if profile.shape in shapes]
    print_steps(shown, schedule.base.shape)
    texts = shape_warnings(schedule, shown)
    works = all(profile.works for profile in shown)
    if clips:
        times = times._replace(clips=max(1, clips // args.processes))
    else:
        print('the dataset is not here: give --clips for its wall-clock '
              'and the warnings about its size')
    if works:
        found = forecast(schedule, times)
        print_forecast(found, clips, times)
    if works and clips:
        choices = compare_caps(free, times)
        if args.hours:
            fits = fit_hours(free, times, args.hours)
            choices.update(fits)
            texts += [] if fits else [f'no schedule fits into {args.hours} h']
        print_choices(choices, found)
        texts += data_warnings(shapes, times.batch_size * args.processes,
                               clips, found.iterations, found.base_iterations)
    for text in texts:
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


def measure(cfg: Config, schedule: MultigridSchedule, shapes: List[Shape],
            dataset: dict, args: argparse.Namespace) -> MeasuredTimes:
    """Measure loading and steps; says on stderr what is done.

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
            bn_group_size(schedule.settings.bn_base_size, configured),
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
    rows = []
    for profile in profiles:
        memory = profile.peak_memory
        rows.append((name_of(profile), f'{profile.seconds:.3f} s',
                     f'{profile.seconds / base.seconds:.2f}',
                     f'{memory / 2**20:.0f} MiB' if memory else '-',
                     f'{memory / base.peak_memory:.2f}' if memory else '-',
                     'failed' if profile.error else f'{profile.loss:.3f}'))
    print('one training step at every shape')
    print_table(('clips x frames x crop', 'time', 'of the base shape',
                 'peak memory', 'of the base shape', 'loss'), rows)


def print_forecast(found: Forecast, clips: Optional[int],
                   times: MeasuredTimes) -> None:
    """Print where the time of both runs goes, and the workers they need."""
    print(f'speed-up: {found.speedup:.2f}x at the measured times, '
          f'{found.schedule.predicted_speedup:.2f}x if all pixels took the '
          'same time; validation is left out' +
          ', and loading, since the data are not here' * (not times.loads))
    if clips:
        print(f'forecast for {clips} clips on this device')
        rows = [(name, f'{ours:.3g} h', f'{base:.3g} h')
                for name, (ours, base) in [
                    *found.parts.items(),
                    ('wall-clock', (found.hours, found.base_hours))
                ]]
        print_table(('', 'multigrid', 'base training'), rows)
    if times.loads:
        print('throughput of a process, in clips a second; * more than '
              f'train_dataloader.num_workers = {times.workers}')
        print_table(('epochs', 'training', 'a worker', 'workers that keep up'),
                    [(epochs, f'{taken:.1f}', f'{loaded:.1f}',
                      f'{count}{" *" * (count > times.workers)}')
                     for epochs, taken, loaded, count in worker_rows(
                         found.schedule, times)])


def print_choices(choices: Dict[str, Forecast], now: Forecast) -> None:
    """Print one row per choice of a cap."""
    print('what a cap on the batch costs and leaves')
    print_table(('max_batch_factor', 'iterations', 'of base training',
                 'wall-clock', 'times as fast', 'first lr factor', ''),
                [(name, str(found.iterations),
                  f'{100 * found.iterations / found.base_iterations:.0f} %',
                  f'{found.hours:.3g} h', f'{found.speedup:.2f}',
                  f'{found.schedule.lr_factors[0][1]:.4g}', 'this config' *
                  (found.schedule.stages == now.schedule.stages))
                 for name, found in choices.items()])
