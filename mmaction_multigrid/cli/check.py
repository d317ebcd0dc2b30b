"""Measures steps, loading, validation and checkpoints of a config: forecast, advice, warnings."""

import argparse
import sys
from functools import partial
from typing import Callable, List, Mapping, Optional, Sequence, Tuple

import torch
from mmengine.config import Config

from ..config.base import pipelines
from ..plan.advice import Steps, cap_choices, fit_hours, measured_shapes, shapes_to_probe, without_cap
from ..plan.forecast import Costs, Forecast, forecast, worker_rows
from ..plan.measure import (
    base_checkpoints,
    base_evaluations,
    checkpoint_seconds,
    evaluation_seconds,
    load_seconds,
    receive_seconds,
)
from ..plan.probe import Probe, probe_shapes, schedule_shapes
from ..plan.rounding import rounded_shapes, rounding_advice, total_stride
from ..plan.warnings import shape_warnings
from ..schedule import (
    MultigridSchedule,
    Settings,
    Shape,
    auto_settings,
    count_base_updates,
    count_updates,
    data_warnings,
    type_name,
    write_batch_factors,
)
from .check_output import print_batch_factors, print_caps, print_forecast, print_hours, print_loading, print_probes
from .config_args import add_config, known_clips, load_config, load_schedule

EXAMPLE = 'check CONFIG --list train.txt --root videos --store grid_store   (exit status 1 if a shape fails)'
QUICK = 2.  # seconds of a base step: then the config's own batch is run on a CPU, too


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_config(parser)
    parser.add_argument('--list', metavar='LIST', help="annotation file to load clips of; default: the config's")
    parser.add_argument('--root', metavar='VIDEOS', help="folder of the videos; default: the config's")
    parser.add_argument('--store', metavar='STORE', help="a grid store of them; default: the config's, if it has one")
    parser.add_argument('--workers', type=int, metavar='N', help="data workers of a process; default: the config's")
    parser.add_argument('--batch-size', type=int, metavar='N',
                        help="base batch; default: the config's, but 2 where "
                        "a CPU's step takes over two seconds")
    parser.add_argument('--clips', type=int, metavar='N', help='clips in the data set; default: as many as it has here')
    parser.add_argument('--processes', type=int, default=1, metavar='N', help='processes that will train; default: 1')
    parser.add_argument('--hours', type=float, help='time that there is: tells the schedule that fits into it')
    parser.add_argument('--write-times', metavar='FILE',
                        help='write the batches of equal measured time, for multigrid.batch_factors')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='where to run')


def run(args: argparse.Namespace) -> int:
    """Check a config."""
    for name in ('batch_size', 'clips', 'processes', 'hours'):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise ValueError(f'--{name.replace("_", "-")} {value:g}: must be above 0')
    cfg = load_config(args)
    set_data(cfg, args)
    clips = known_clips(cfg, args)
    share = max(1, clips // args.processes) if clips else None
    schedule, _ = load_schedule(cfg, clips, args.processes)
    free = without_cap(schedule, Settings.from_dict(cfg.multigrid).short_cycle)  # as before 'auto' changed it
    views = clips_of_a_video(cfg.train_dataloader.dataset)
    steps_at = partial(measure, cfg, schedule, args.device)
    if not args.batch_size:
        args.batch_size = quick_batch(cfg, schedule, args.device, views)
    batch = args.batch_size * views
    probes = steps_at(shapes_to_probe(schedule, free), batch)
    shown = [probe for probe in probes if probe.shape in schedule_shapes(schedule)]
    print_probes(shown, schedule.base.shape)
    works = all(probe.works for probe in shown)
    if works:
        print_rounding(schedule, probes, partial(steps_at, batch_size=batch))
        if args.write_times:
            write_times(schedule, Steps(probes, batch), args)
        costs, missing = measure_costs(cfg, schedule, probes, views, args)
        report(cfg, schedule, free, costs, missing, share, args)
    if not clips:
        print('the data set is not here: give --clips for its wall-clock and the warnings about its size')
    texts = shape_warnings(schedule, shown)
    batch_size = cfg.train_dataloader.batch_size
    if clips:
        texts += data_warnings(schedule_shapes(schedule), batch_size * args.processes, clips,
                               count_updates(schedule, batch_size, share),
                               count_base_updates(schedule, batch_size, share))
    for text in texts:
        print(f'WARNING: {text}')
    return 0 if works else 1


def set_data(cfg: Config, args: argparse.Namespace) -> None:
    """Put the command line's list, folder and store into the config.

    Raises:
        ValueError: The train data set is made of several.
    """
    if args.list or args.root:
        dataset = cfg.train_dataloader.dataset
        while 'dataset' in dataset:
            dataset = dataset['dataset']
        if 'datasets' in dataset:
            raise ValueError('--list, --root: train_dataloader.dataset is made of several data sets; set their lists '
                             'with --cfg-options')
        if args.list:
            dataset['ann_file'] = args.list
        if args.root:
            dataset['data_prefix'] = dict.fromkeys(dataset.get('data_prefix') or ['video'], args.root)
            dataset['data_root'] = None
    if args.store:
        cfg.multigrid.grid_store = args.store
    if args.workers is not None:
        cfg.train_dataloader.num_workers = args.workers


def clips_of_a_video(dataset: Mapping) -> int:
    """Clips that a train data set yields of a video at once."""
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    if type_name(dataset.get('type', '')) == 'RepeatAugDataset':
        return dataset.get('num_repeats', 4)
    return 1


def measure(cfg: Config, schedule: MultigridSchedule, device: str,
            shapes: Sequence[Shape], batch_size: int,
            repeats: int = 6) -> List[Probe]:
    """Make steps at shapes; each is told on stderr when it is done."""
    bn_clips = schedule.settings.bn_clips(cfg.train_dataloader.batch_size)
    pipeline = pipelines(cfg.train_dataloader.dataset)[0]
    found = []
    for probe in probe_shapes(cfg.model, shapes, batch_size, bn_clips, device,
                              repeats, optim_wrapper=cfg.get('optim_wrapper'),
                              pipeline=pipeline):
        found.append(probe)
        say(f'step {len(found)} of {len(shapes)}: {probe.clips} x '
            f'{probe.shape.num_frames} x {probe.shape.crop_size}: '
            + (f'{probe.seconds:.3f} s' if probe.works else 'failed'))
    return found


def say(text: str) -> None:
    """Tell what is being done, on stderr, where it is in nobody's way."""
    print(text, file=sys.stderr, flush=True)


def quick_batch(cfg: Config, schedule: MultigridSchedule, device: str,
                views: int) -> int:
    """The config's base batch, but 2 where that takes a CPU too long.

    Not 1: batch norm takes no single clip of a single position.
    """
    batch_size = cfg.train_dataloader.batch_size
    if device != 'cpu' or batch_size <= 2:
        return batch_size
    base, = measure(cfg, schedule, device, [schedule.base.shape], 2, 1)
    quick = base.seconds * batch_size * views / base.clips < QUICK
    return batch_size if quick else 2


def print_rounding(
        schedule: MultigridSchedule, probes: Sequence[Probe],
        steps_at: Callable[[Sequence[Shape]], List[Probe]]) -> None:
    """Print which crops had better be multiples of the network's stride.

    The crops beside those of the schedule are measured, too.
    """
    base = next(probe for probe in probes
                if probe.shape == schedule.base.shape)
    stride = total_stride(base)
    pairs = rounded_shapes(schedule, stride) if stride else {}
    if pairs:
        even = steps_at(list(pairs.values()))
        for line in rounding_advice(stride, pairs, [*probes, *even]):
            print(line)


def write_times(schedule: MultigridSchedule, steps: Steps, args: argparse.Namespace) -> None:
    """Write the measured batch factors, and print them beside what the shapes cost."""
    shapes, base = measured_shapes(steps, schedule.base.shape), schedule.base.shape
    write_batch_factors(args.write_times, base, shapes, steps, args.device)
    print_batch_factors(shapes, schedule.grid.cost_factor, steps, base)
    print(f"multigrid.batch_factors = '{args.write_times}'")


def measure_costs(cfg: Config, schedule: MultigridSchedule,
                  probes: Sequence[Probe], views: int,
                  args: argparse.Namespace) -> Tuple[Costs, List[str]]:
    """What a run is made of, in seconds, and what could not be measured."""
    configured = cfg.train_dataloader.batch_size * views
    missing, receiving = [], 0.
    say('loading')
    try:
        loads = load_seconds(cfg, [probe.shape for probe in probes])
        receiving = receive_seconds(cfg)
    except Exception as error:  # whatever a data set makes of files that are not there
        if args.list or args.root or args.store:
            raise ValueError(f'no clip can be loaded: {type(error).__name__}: {error}') from error
        loads = {}
        missing.append('loading')
    workers = cfg.train_dataloader.get('num_workers', 0)
    say('validation and checkpoints')
    evaluation = evaluation_seconds(cfg, args.device, workers)
    if evaluation is None and cfg.get('val_cfg'):
        missing.append('validation')
    base = next(probe for probe in probes if probe.shape == schedule.base.shape)
    forward = base.forward_seconds * configured / base.clips
    return Costs(Steps(probes, configured), forward, loads, receiving, workers, evaluation or 0.,
                 checkpoint_seconds(cfg.model, cfg.optim_wrapper)), missing


def report(cfg: Config, schedule: MultigridSchedule, free: MultigridSchedule, costs: Costs, missing: List[str],
           clips: Optional[int], args: argparse.Namespace) -> None:
    """Print the forecast, the workers, the caps and the schedule that fits a budget."""
    batch_size = cfg.train_dataloader.batch_size

    def take(other: MultigridSchedule) -> Optional[Forecast]:
        if not all(shape in costs.steps for shape in schedule_shapes(other)):
            return None  # of a shape that does not work
        return forecast(other, costs, batch_size, clips, args.processes, base_evaluations(cfg), base_checkpoints(cfg))

    print_forecast(schedule, take(schedule), clips and clips * args.processes, missing)
    if costs.loads:
        print_loading(worker_rows(schedule, costs, batch_size), costs.workers)
    if clips:
        print_caps(cap_choices(free, batch_size, clips, take), schedule.settings,
                   auto_settings(free.base, free.settings, batch_size, clips),
                   count_base_updates(schedule, batch_size, clips))
    if args.hours and clips:
        print_hours(fit_hours(free, batch_size, clips, args.hours, take), args.hours,
                    schedule.base.max_epochs / take(schedule).base_hours)
