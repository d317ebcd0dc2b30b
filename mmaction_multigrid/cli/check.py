"""Runs one training step at every grid shape on made-up clips: time, memory, forecast, warnings."""

import argparse
from typing import List, Optional, Sequence

import torch

from ..plan.forecast import count_clips, forecast, loader_rows, step_seconds
from ..plan.probe import Probe, probe_schedule
from ..plan.warnings import data_warnings, shape_warnings
from ..schedule import MultigridSchedule, Shape
from .config_args import add_config, load_config, load_schedule
from .output import print_table

EXAMPLE = 'check CONFIG --clips 240000 --processes 8   (exit status 1 if a shape fails)'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_config(parser)
    parser.add_argument('--batch-size', type=int, help="base batch to run; default: the config's on a GPU, 1 on a CPU")
    parser.add_argument('--clips', type=int, help='clips in the data set; default: lines of its list, where it is there')
    parser.add_argument('--processes', type=int, default=1, help='processes that will train; default: 1')
    parser.add_argument('--clips-per-second', type=float, help='that one worker loads: tells the workers that each stage '
                        'needs')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='where to run')


def run(args: argparse.Namespace) -> int:
    """Check a config."""
    for name in ('batch_size', 'clips', 'processes', 'clips_per_second'):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise ValueError(f'--{name.replace("_", "-")} {value:g}: must be above 0')
    cfg = load_config(args)
    schedule, _ = load_schedule(cfg)
    configured = cfg.train_dataloader.batch_size
    batch_size = args.batch_size or (1 if args.device == 'cpu' else configured)
    clips = args.clips or count_clips(cfg.train_dataloader)
    probes = list(probe_schedule(cfg.model, schedule, batch_size, args.device))
    print_probes(probes, schedule.base.shape)
    works = all(probe.works for probe in probes)
    if works:
        print_forecast(schedule, probes, batch_size, clips // args.processes if clips else None)
        if args.clips_per_second:
            print_workers(loader_rows(schedule, probes, args.clips_per_second), args.clips_per_second)
    if not clips:
        print('the data set is not here: give --clips for its wall-clock and the warnings about its size')
    for text in shape_warnings(schedule, probes) + data_warnings(schedule, configured, clips, args.processes):
        print(f'WARNING: {text}')
    return 0 if works else 1


def print_probes(probes: Sequence[Probe], base_shape: Shape) -> None:
    """Print one row per shape."""
    base = next(probe for probe in probes if probe.shape == base_shape)
    rows = []
    for probe in probes:
        memory, ratio = '-', '-'
        if probe.peak_memory is not None:
            memory = f'{probe.peak_memory / 2**20:.0f} MiB'
            ratio = f'{probe.peak_memory / base.peak_memory:.2f}' if base.peak_memory else '-'
        rows.append((f'{probe.clips} x {probe.shape.num_frames} x {probe.shape.crop_size}',
                     f'{probe.seconds:.3f} s', f'{probe.seconds / base.seconds:.2f}', memory, ratio,
                     f'{probe.loss:.3f}' if probe.error is None else 'failed',
                     '-' if probe.feature_size is None else f'{probe.feature_size} x {probe.feature_size}'))
    print_table(('clips x frames x crop', 'time', 'of the base shape', 'peak memory', 'of the base shape', 'loss',
                 'positions'), rows, 'one training step at every shape')


def print_forecast(schedule: MultigridSchedule, probes: Sequence[Probe], batch_size: int, clips: Optional[int]) -> None:
    """Print how long both runs take at the measured speed, with all clips ready."""
    found = forecast(schedule, step_seconds(probes, batch_size), batch_size, clips)
    print(f'speed-up: {found.speedup:.2f}x at the measured times, {schedule.predicted_speedup:.2f}x if all shapes took '
          'the same time; loading of data, validation and precise BN are left out')
    if clips:
        print(f'wall-clock for {clips} clips on this device: {found.hours:.3g} h, base {found.base_hours:.3g} h')


def print_workers(rows: List[tuple], clips_per_second: float) -> None:
    """Print one row per stage."""
    print_table(('epochs', 'clips a second', 'workers'),
                [(epochs, f'{needed:.1f}', str(workers)) for epochs, needed, workers in rows],
                f'workers that keep up, a process, of {clips_per_second:g} clips a second each')
