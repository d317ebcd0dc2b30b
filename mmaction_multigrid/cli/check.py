"""Measures steps, loading and validation of a config: hours of the run, caps on the batch, workers, warnings."""

import argparse
import sys
from typing import List, Mapping, Optional, Sequence

import torch
from mmengine.config import Config

from ..config.base import pipelines
from ..profiling.advice import (
    cap_choices,
    fit_hours,
    shapes_to_probe,
    with_settings,
)
from ..profiling.forecast import Costs, Forecast, StepTimes, forecast, worker_rows
from ..profiling.measure import (
    base_evaluations,
    evaluation_seconds,
    load_seconds,
)
from ..profiling.probe import Probe, probe_shapes, schedule_shapes
from ..profiling.warnings import shape_warnings
from ..schedule import (
    MultigridSchedule,
    Settings,
    Shape,
    auto_settings,
    count_base_updates,
    count_updates,
    data_warnings,
    type_name,
)
from .check_output import (
    print_caps,
    print_forecast,
    print_hours,
    print_loading,
    print_probes,
)
from .config_args import add_clips, add_config, load_config, load_schedule

EXAMPLE = ('check CONFIG --list train.txt --root videos --store grid_store   '
           '(exit status 1 if a shape fails)')
# Of a base step: then the config's own batch is run on a CPU, too.
QUICK_SECONDS = 2.


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_config(parser)
    add_clips(parser)
    parser.add_argument('--list', metavar='LIST', help='annotation file to '
                        "load clips of; default: the config's")
    parser.add_argument('--root', metavar='VIDEOS',
                        help="folder of the videos; default: the config's")
    parser.add_argument('--store', metavar='STORE', help='a grid store of '
                        "them; default: the config's, if it has one")
    parser.add_argument('--batch-size', type=int, metavar='N',
                        help="base batch; default: the config's, but 2 where "
                        "a CPU's step takes over two seconds")
    parser.add_argument('--hours', type=float, help='time that there is: '
                        'tells the schedule that fits into it')
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu',
        help='where to run')


def run(args: argparse.Namespace) -> int:
    """Check a config."""
    cfg = load_config(args)
    set_data(cfg, args)
    schedule, _, clips, share = load_schedule(cfg, args)
    # As before 'auto' changed it.
    free = with_settings(
        schedule, max_batch_factor=None,
        short_cycle=Settings.from_dict(cfg.multigrid).short_cycle)
    wanted = shapes_to_probe(schedule, free)
    loads = measure_loading(cfg, wanted, args)
    probes = measure_steps(cfg, schedule, wanted, args)
    shapes = schedule_shapes(schedule)
    shown = [probe for probe in probes if probe.shape in shapes]
    print_probes(shown, schedule.base.shape)
    works = all(probe.works for probe in shown)
    if works:
        report(cfg, schedule, free, probes, loads, share, args)
    if not clips:
        print('the data set is not here: give --clips for its wall-clock and '
              'the warnings about its size')
    texts = shape_warnings(schedule, shown)
    batch_size = cfg.train_dataloader.batch_size
    if clips:
        texts += data_warnings(
            shapes, batch_size * args.processes, clips,
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
    dataset = inner_dataset(cfg)
    if (args.list or args.root) and 'datasets' in dataset:
        raise ValueError('--list, --root: train_dataloader.dataset is made of '
                         'several data sets; set their lists with '
                         '--cfg-options')
    if args.list:
        dataset['ann_file'] = args.list
    if args.root:
        dataset['data_prefix'] = dict.fromkeys(
            dataset.get('data_prefix') or ['video'], args.root)
        dataset['data_root'] = None
    if args.store:
        cfg.multigrid.grid_store = args.store


def inner_dataset(cfg: Config) -> Mapping:
    """The train data set inside of wrappers such as ``RepeatDataset``."""
    dataset = cfg.train_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset


def clips_of_a_video(cfg: Config) -> int:
    """Clips that the train data set yields of a video at once."""
    dataset = inner_dataset(cfg)
    if type_name(dataset.get('type', '')) == 'RepeatAugDataset':
        return dataset.get('num_repeats', 4)
    return 1


def measure_steps(cfg: Config, schedule: MultigridSchedule,
                  shapes: Sequence[Shape],
                  args: argparse.Namespace) -> List[Probe]:
    """Make steps at shapes, at the batch of ``--batch-size``.

    By default it is the config's own, but where that takes a CPU too long 2:
    of a single clip batch norm may have a single value.
    """
    configured = cfg.train_dataloader.batch_size
    views = clips_of_a_video(cfg)
    pipeline = pipelines(cfg.train_dataloader.dataset)[0]

    def steps(shapes: Sequence[Shape], batch_size: int,
              repeats: int = 6) -> List[Probe]:
        found = []
        for probe in probe_shapes(
                cfg.model, shapes, batch_size * views,
                schedule.settings.bn_clips(configured), args.device,
                repeats, cfg.optim_wrapper, pipeline):
            found.append(probe)
            time = f'{probe.seconds:.3f} s' if probe.works else 'failed'
            say(f'step {len(found)} of {len(shapes)}: {probe.clips} x '
                f'{probe.shape.num_frames} x {probe.shape.crop_size}: {time}')
        return found

    batch_size = args.batch_size or configured
    if not args.batch_size and args.device == 'cpu' and configured > 2:
        base, = steps([schedule.base.shape], 2, 1)
        if not base.seconds * configured < 2 * QUICK_SECONDS:  # nor NaN
            batch_size = 2
            say(f'the base batch of {configured} clips takes long here: steps '
                'are measured at one of 2, and their times scaled')
    return steps(shapes, batch_size)


def say(text: str) -> None:
    """Tell what is being done, on stderr, where it is in nobody's way."""
    print(text, file=sys.stderr, flush=True)


def measure_loading(cfg: Config, shapes: Sequence[Shape],
                    args: argparse.Namespace) -> dict:
    """Seconds a clip by (frames, crop); none where the data are not here.

    Raises:
        ValueError: Data that the command line names cannot be loaded.
    """
    say('loading')
    try:
        return load_seconds(cfg, shapes)
    except Exception as error:  # whatever a data set makes of missing files
        if args.list or args.root or args.store:
            raise ValueError(f'no clip can be loaded: {type(error).__name__}: '
                             f'{error}') from error
        return {}


def report(cfg: Config, schedule: MultigridSchedule, free: MultigridSchedule,
           probes: Sequence[Probe], loads: dict, clips: Optional[int],
           args: argparse.Namespace) -> None:
    """Print the forecast, the workers, the caps and what fits a budget."""
    say('validation')
    base = next(probe for probe in probes
                if probe.shape == schedule.base.shape)
    workers = cfg.train_dataloader.get('num_workers', 0)
    evaluation = evaluation_seconds(cfg, args.device, workers)
    evaluations = base_evaluations(cfg.train_cfg) if cfg.get('val_cfg') else 0
    missing = [] if loads else ['loading']
    if evaluations and evaluation is None:
        missing.append('validation')
    batch_size = cfg.train_dataloader.batch_size
    step = batch_size * clips_of_a_video(cfg)
    costs = Costs(StepTimes(probes, step),
                  base.forward_seconds * step / base.clips, loads, workers,
                  evaluation or 0.)

    def take(other: MultigridSchedule) -> Optional[Forecast]:
        try:
            return forecast(other, costs, batch_size, clips, args.processes,
                            evaluations)
        except KeyError:  # of a shape that does not work
            return None

    now = take(schedule)
    print_forecast(schedule, now, clips and clips * args.processes, missing)
    if loads:
        print_loading(worker_rows(schedule, costs, batch_size), workers)
    if clips:
        print_caps(cap_choices(free, batch_size, clips, take),
                   schedule.settings,
                   auto_settings(free.base, free.settings, batch_size, clips),
                   count_base_updates(schedule, batch_size, clips))
        if args.hours:
            epochs = args.hours * schedule.base.max_epochs / now.base_hours
            print_hours(fit_hours(free, batch_size, clips, args.hours, take),
                        args.hours, epochs)
