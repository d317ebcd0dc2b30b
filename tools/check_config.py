"""See what a multigrid config will do before a week of GPU time: one training step at every grid shape.

    python tools/check_config.py CONFIG [--batch-size N] [--clips N] [--clips-per-second N] [--device cuda]
                                         [--cfg-options KEY=VALUE ...]

Prints the time, peak memory and loss of each shape, the predicted wall-clock and speed-up of the whole schedule, and
warnings. Clips are made up, so that no data set is needed, and nothing is downloaded. Ends with 1 if a shape fails.
"""

import argparse
import math
import sys
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Table

from mmaction_multigrid import MultigridSchedule, multigrid_schedule
from mmaction_multigrid.engine.probe import Probe, probe_shapes
from mmaction_multigrid.schedule import Shape, count_iterations

MIN_FEATURE_SIZE = 3  # positions: below, a network pools what it should look at
MAX_SHARE = 0.1  # of the data set, in one batch
MAX_MEMORY = 1.15  # peak of a shape, of the base shape's
# Measured: small networks lost 12 points with 185 (digits, 1,250 clips), up to 4 with 373 (2,500 clips), up to 6 with
# 2,112 (UTD-MHAD); how many a data set needs, nobody can tell beforehand.
MIN_UPDATES = 3000
MANY_CLIPS = 10**8  # where nobody says how many there are: what an epoch drops does not count then


def count_clips(dataloader: dict) -> Optional[int]:
    """Clips in the annotation files of a train data set, where these are there and of one line a clip."""
    dataset, times = dataloader['dataset'], 1
    while 'dataset' in dataset:
        times *= dataset.get('times', 1)
        dataset = dataset['dataset']
    total = 0
    for part in dataset.get('datasets', [dataset]):
        path = Path(part.get('ann_file', ''))
        if path.suffix not in ('.txt', '.csv') or not path.is_file():
            return None
        total += sum(1 for line in path.read_text().splitlines() if line.strip())
    return total * times


def warnings(schedule: MultigridSchedule, probes: List[Probe], batch_size: int, clips: Optional[int],
             processes: int) -> List[str]:
    """What a user should know before training."""
    found = []
    memory = {probe.shape: probe.peak_memory for probe in probes if probe.peak_memory}
    base = memory.get(schedule.base.shape)
    found += [f'{shape.num_frames} frames x {shape.crop_size} pixels needs {peak / base:.2f} times the memory of the '
              'base shape' for shape, peak in memory.items() if base and peak > MAX_MEMORY * base]
    for probe in probes:
        if not probe.works:
            found.append(f'{probe.shape.num_frames} frames x {probe.shape.crop_size} pixels fails: '
                         f'{probe.error or f"loss = {probe.loss}"}')
        elif probe.feature_size is not None and probe.feature_size < MIN_FEATURE_SIZE:
            found.append(f'a crop of {probe.shape.crop_size} pixels leaves the head {probe.feature_size} x '
                         f"{probe.feature_size} positions: it is too small for the network's total stride")
    if clips:
        largest = max(shape.batch_factor for stage in schedule.stages for shape in stage.shapes) * batch_size * processes
        if largest > MAX_SHARE * clips:
            found.append(f'the largest batch of all processes, {largest} clips, is more than a tenth of the data set '
                         f'({clips} clips)')
        updates = sum(count_iterations(schedule.stages, batch_size, clips // processes).values())
        if updates < MIN_UPDATES:
            found.append(f'the whole schedule has {updates:.0f} updates, and less than {MIN_UPDATES} are often too few '
                         'to learn from; train more epochs')
    return found


def print_table(probes: List[Probe], base: Probe) -> None:
    """Print one row per shape."""
    table = Table(title='one training step at every shape')
    for column in ('clips x frames x crop', 'time', 'of the base shape', 'peak memory', 'of the base shape', 'loss',
                   'positions'):
        table.add_column(column, justify='right')
    for probe in probes:
        memory, ratio = '-', '-'
        if probe.peak_memory is not None:
            memory = f'{probe.peak_memory / 2**20:.0f} MiB'
            ratio = f'{probe.peak_memory / base.peak_memory:.2f}' if base.peak_memory else '-'
        table.add_row(f'{probe.clips} x {probe.shape.num_frames} x {probe.shape.crop_size}',
                      f'{probe.seconds:.3f} s', f'{probe.seconds / base.seconds:.2f}', memory, ratio,
                      f'{probe.loss:.3f}' if probe.error is None else 'failed',
                      '-' if probe.feature_size is None else f'{probe.feature_size} x {probe.feature_size}')
    Console(width=140).print(table)


def hours(schedule: MultigridSchedule, seconds: Dict[Shape, float], base: float, batch_size: int,
          clips: int) -> Tuple[float, float]:
    """Hours of the whole schedule and of base training, from the seconds of a batch at each shape and of a base batch."""
    ours = sum(count * seconds[shape] for shape, count in count_iterations(schedule.stages, batch_size, clips).items())
    return ours / 3600, schedule.base.max_epochs * clips / batch_size * base / 3600


def print_forecast(schedule: MultigridSchedule, probes: List[Probe], batch_size: int, clips: Optional[int],
                   rates: Optional[Dict[Shape, float]] = None, stock: Optional[float] = None) -> None:
    """Print how long both runs take at the measured speed, with all clips ready and with clips loaded at these rates.

    ``rates`` are clips per second by shape, ``stock`` those of base training: a step waits for its batch.
    """
    steps = {probe.shape: probe.seconds * batch_size * probe.shape.batch_factor / probe.clips for probe in probes}
    many = clips or MANY_CLIPS
    ours, base = hours(schedule, steps, steps[schedule.base.shape], batch_size, many)
    print(f'speed-up: {base / ours:.2f}x at the measured times, {schedule.predicted_speedup:.2f}x if all shapes took '
          'the same time; loading of data, validation and precise BN are left out')
    if clips:
        print(f'wall-clock for {clips} clips on this device: {ours:.3g} h, base {base:.3g} h')
    if rates and stock:
        waits = {shape: max(step, batch_size * shape.batch_factor / rates[shape]) for shape, step in steps.items()}
        ours, base = hours(schedule, waits, max(steps[schedule.base.shape], batch_size / stock), batch_size, many)
        print(f'with this loader: {base / ours:.2f}x' + (f'; {ours:.3g} h, base {base:.3g} h' if clips else ''))


def loader_rows(schedule: MultigridSchedule, probes: List[Probe], clips_per_second: float) -> List[tuple]:
    """Epochs, clips a second that training eats, and workers that load so many, of each stage and of base training.

    A worker loads ``clips_per_second``. A stage is bound by its data where it has fewer workers than that.
    """
    by_shape = {probe.shape: probe for probe in probes}
    rows = []
    for epochs, shapes in [('base', [schedule.base.shape]), *((f'{stage.begin + 1}-{stage.end}', stage.shapes)
                                                             for stage in schedule.stages)]:
        cycle = [by_shape[shape] for shape in shapes]
        needed = sum(probe.clips for probe in cycle) / sum(probe.seconds for probe in cycle)
        rows.append((epochs, needed, math.ceil(needed / clips_per_second)))
    return rows


def print_loader_table(rows: List[tuple], clips_per_second: float) -> None:
    """Print one row per stage."""
    table = Table(title=f'workers that keep up, a process, of {clips_per_second:g} clips a second each')
    for column in ('epochs', 'clips a second', 'workers'):
        table.add_column(column, justify='right')
    for epochs, needed, workers in rows:
        table.add_row(epochs, f'{needed:.1f}', str(workers))
    Console(width=140).print(table)


def main() -> int:
    """Check a config."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='path of a multigrid config')
    parser.add_argument('--batch-size', type=int, help="base batch to run; default: the config's on a GPU, 1 on a CPU")
    parser.add_argument('--clips', type=int, help='clips in the data set; default: lines of its list, where it is there')
    parser.add_argument('--processes', type=int, default=1, help='processes that will train; default: 1')
    parser.add_argument('--clips-per-second', type=float,
                        help='clips that one worker loads, as tools/benchmark_data.py tells: prints the workers needed')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='where to run')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='config settings to override: key=value')
    args = parser.parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if args.clips_per_second is not None and args.clips_per_second <= 0:
        parser.error(f'--clips-per-second {args.clips_per_second:g}: must be above 0')
    if 'multigrid' not in cfg:
        parser.error(f'{args.config} has no multigrid key: it is a plain or a resolved config')
    init_default_scope('mmaction')
    schedule, _ = multigrid_schedule(cfg)
    configured = cfg.train_dataloader.batch_size
    batch_size = args.batch_size or (1 if args.device == 'cpu' else configured)
    clips = args.clips or count_clips(cfg.train_dataloader)
    shapes = sorted({shape for stage in schedule.stages for shape in stage.shapes} | {schedule.base.shape},
                    key=lambda shape: (shape.num_frames, shape.crop_size))
    probes = list(probe_shapes(cfg.model, shapes, batch_size, schedule.settings.bn_base_size, args.device))
    base = next(probe for probe in probes if probe.shape == schedule.base.shape)
    print_table(probes, base)
    if all(math.isfinite(probe.seconds) for probe in probes):
        print_forecast(schedule, probes, batch_size, clips // args.processes if clips else None)
        if args.clips_per_second:
            print_loader_table(loader_rows(schedule, probes, args.clips_per_second), args.clips_per_second)
    if not clips:
        print('the data set is not here: give --clips for its wall-clock and the warnings about its size')
    for text in warnings(schedule, probes, configured, clips, args.processes):
        print(f'WARNING: {text}')
    return 0 if all(probe.works for probe in probes) else 1


if __name__ == '__main__':
    sys.exit(main())
