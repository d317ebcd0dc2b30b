"""Measure a model at every grid shape: clips per second, step time and peak memory, in fp32 and in bfloat16.

    python tools/benchmark/shapes.py CONFIG [--batch-size N] [--device cuda] [--clips 240000] [--json OUT]

A step is forward, backward and an update by plain SGD on made-up clips; where
the data set of the config is there, its loader is measured at each shape too,
and the stock one. Ends in the wall-clock of the whole schedule beside that of
the base config, with all clips ready and with those that the loader yields.
Runs on a GPU or a CPU.
"""

import argparse
import json
import platform
import time
from itertools import chain, islice
from pathlib import Path
from typing import Dict, List, Optional

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table

from mmaction_multigrid import apply_multigrid, multigrid_schedule
from mmaction_multigrid.cli.config_args import add_clips, add_config, load_config
from mmaction_multigrid.config.completed import count_clips
from mmaction_multigrid.plan import (
    Costs,
    Probe,
    StepTimes,
    forecast,
    probe_shapes,
    schedule_shapes,
)
from mmaction_multigrid.schedule import MultigridSchedule, Segment, Shape
from mmaction_multigrid.survival.batches import BatchStream

SECONDS = 5.  # of loading at each shape
PRECISIONS = dict(fp32='OptimWrapper', bfloat16='BFloat16OptimWrapper')


def loading(cfg: Config, shapes: List[Shape]) -> Dict[Shape, float]:
    """Clips per second that training gets of the config's own loader at each shape, once its workers are started."""
    loader = Runner.build_dataloader(apply_multigrid(cfg).train_dataloader, seed=0)
    loader.dataset.set_epoch(0, 0)  # random numbers of their own for every clip, as in training
    rates = {}
    with BatchStream(loader, lambda segment: segment._replace(epoch=segment.epoch + 1)) as stream:
        for shape in shapes:
            whole = Segment(0, shape, len(loader.dataset))
            epochs = range(loader.batch_sampler.max_epochs)
            batches = chain.from_iterable(stream.batches(whole._replace(epoch=epoch)) for epoch in epochs)
            next(batches)
            begin, count = time.perf_counter(), 0
            while time.perf_counter() - begin < SECONDS and next(batches, None) is not None:
                count += 1
            rates[shape] = count * loader.batch_sampler.batch_size * shape.batch_factor / (time.perf_counter() - begin)
    return rates


def stock_loading(cfg: Config) -> float:
    """Clips per second that the base config's loader yields once its workers are started."""
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    batches, workers = iter(loader), max(1, loader.num_workers)
    for _ in islice(batches, workers):
        pass
    begin = time.perf_counter()
    count = sum(1 for _ in islice(batches, 2 * workers))
    return count * cfg.train_dataloader.batch_size / (time.perf_counter() - begin)


def table_of(found: Dict[str, List[Probe]], rates: Dict[Shape, float]) -> Table:
    """One row per shape and precision."""
    table = Table(title='a training step at every shape')
    for column in ('clips x frames x crop', 'precision', 'step', 'of the base shape', 'clips/s', 'peak memory',
                   'clips/s loaded'):
        table.add_column(column, justify='right')
    for precision, probes in found.items():
        base = next(probe for probe in probes if probe.shape.batch_factor == 1)
        for probe in probes:
            memory = '-' if probe.peak_memory is None else f'{probe.peak_memory / 2**20:.0f} MiB'
            step = f'{probe.seconds:.4f} s' if probe.works else 'failed'
            rate = f'{rates[probe.shape]:.0f}' if probe.shape in rates else '-'
            table.add_row(f'{probe.clips} x {probe.shape.num_frames} x {probe.shape.crop_size}', precision, step,
                          f'{probe.seconds / base.seconds:.2f}', f'{probe.clips / probe.seconds:.1f}', memory, rate)
        table.add_section()
    return table


def to_json(found: Dict[str, List[Probe]], rates: Dict[Shape, float], stock: Optional[float],
            args: argparse.Namespace) -> dict:
    """The same for a file."""
    device = args.device
    name = torch.cuda.get_device_name(device) if device.startswith('cuda') else platform.processor() or 'cpu'
    rows = [dict(precision=precision, clips=probe.clips, num_frames=probe.shape.num_frames,
                 crop_size=probe.shape.crop_size, seconds=probe.seconds, peak_memory=probe.peak_memory,
                 loaded_per_second=rates.get(probe.shape), error=probe.error)
            for precision, probes in found.items() for probe in probes]
    return dict(config=args.config, device=name, torch=torch.__version__,
                threads=torch.get_num_threads(), cudnn_benchmark=torch.backends.cudnn.benchmark,
                stock_loaded_per_second=stock, rows=rows)


def print_forecast(schedule: MultigridSchedule, probes: List[Probe], batch_size: int, clips: Optional[int],
                   rates: Dict[Shape, float], stock: Optional[float]) -> None:
    """How long both runs take, with all clips ready and with those that the loader yields."""
    loads = {None: 1 / stock, **{shape[1:]: 1 / rate for shape, rate in rates.items()}} if stock else {}
    for title, loader in (('with all clips ready', {}), ('with this loader', loads)):
        if loader is loads and not stock:
            continue
        costs = Costs(StepTimes(probes, batch_size), loads=loader)
        found = forecast(schedule, costs, batch_size, clips)
        hours = f'; wall-clock for {clips} clips {found.hours:.3g} h, base {found.base_hours:.3g} h' if clips else ''
        print(f'{title}: {found.speedup:.2f}x{hours}')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_config(parser)
    add_clips(parser)
    parser.add_argument('--batch-size', type=int, help="base batch to run; default: the config's on a GPU, 1 on a CPU")
    parser.add_argument('--repeats', type=int, default=5, help='of each step, whose median counts; default: 5')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='where to run')
    parser.add_argument('--json', type=Path, help='write the figures to this file, too')
    args = parser.parse_args()
    try:
        args.cfg = load_config(args)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return args


def main() -> None:
    """Measure and print."""
    args = parse_args()
    cfg = args.cfg
    torch.backends.cudnn.benchmark = cfg.get('env_cfg', {}).get('cudnn_benchmark', False)  # as the Runner does
    schedule, _ = multigrid_schedule(cfg)
    batch_size = args.batch_size or (1 if args.device == 'cpu' else cfg.train_dataloader.batch_size)
    shapes, sgd = schedule_shapes(schedule), dict(type='SGD', lr=0.)
    found = {name: list(probe_shapes(
        cfg.model, shapes, batch_size, schedule.settings.bn_clips(batch_size),
        args.device, args.repeats, dict(type=wrapper, optimizer=sgd)))
             for name, wrapper in PRECISIONS.items()}
    here = count_clips(cfg.train_dataloader)
    rates, stock = (loading(cfg, shapes), stock_loading(cfg)) if here else ({}, None)
    Console(width=140).print(table_of(found, rates))
    clips = args.clips or here
    for precision, probes in found.items():
        if all(probe.works for probe in probes):
            print(f'{precision}:')
            print_forecast(schedule, probes, batch_size, clips // args.processes if clips else None, rates, stock)
    if args.json:
        args.json.write_text(json.dumps(to_json(found, rates, stock, args), indent=1) + '\n')


if __name__ == '__main__':
    main()
