"""What the command check prints."""

from typing import Callable, List, Mapping, Optional, Sequence

from ..plan.advice import Choice, validation_advice
from ..plan.forecast import Forecast, Hours
from ..plan.probe import Probe
from ..schedule import MultigridSchedule, Settings, Shape
from .output import print_table

NAMES = dict(training='training', waiting='waiting for data', precise_bn='precise BN', validation='validation',
             checkpoints='checkpoints')


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


def print_batch_factors(shapes: Sequence[Shape], cost_factor: Callable[[int, int], int], seconds: Mapping[Shape, float],
                        base: Shape) -> None:
    """Print one row per shape: the batch of the base batch's cost and its time, and the batch of its time."""
    rows = []
    for shape in shapes:
        cost = cost_factor(*shape[1:])
        rows.append((f'{shape.num_frames} x {shape.crop_size}', str(cost),
                     f'{seconds[shape._replace(batch_factor=cost)] / seconds[base]:.2f}', str(shape.batch_factor)))
    print_table(('frames x crop', 'batch factor by cost', 'its time, of the base batch', 'batch factor by time'), rows,
                'batches that take as long as the base batch')


def print_forecast(schedule: MultigridSchedule, found: Forecast, clips: Optional[int], missing: List[str]) -> None:
    """Print where the time of both runs goes, or, for an unknown number of clips, the ratio."""
    left_out = f'; left out, since its data are not here: {", ".join(missing)}' if missing else ''
    print(f'speed-up: {found.speedup:.2f}x at the measured times, {schedule.predicted_speedup:.2f}x if all pixels took '
          f'the same time{left_out}')
    if not clips:
        return
    rows = [(NAMES[name], f'{ours:.3g} h', f'{base:.3g} h')
            for name, ours, base in zip(Hours._fields, found.ours, found.base)]
    rows += [(), ('wall-clock', f'{found.hours:.3g} h', f'{found.base_hours:.3g} h')]
    print_table(('', 'multigrid', 'base training'), rows, f'forecast for {clips} clips on this device', left=('', ))
    for line in validation_advice(schedule, found):
        print(line)


def print_loading(rows: List[tuple], workers: int) -> None:
    """Print one row per stage."""
    print_table(('epochs', 'clips a second that training eats', 'that a worker loads', 'workers that keep up'),
                [(epochs, f'{eaten:.1f}', f'{loaded:.1f}', f'{count}{" *" * (count > workers)}')
                 for epochs, eaten, loaded, count in rows],
                f'a process; * more than train_dataloader.num_workers = {workers}')


def lines_of(settings: Settings) -> str:
    """The lines of a config that make the batches of a schedule."""
    text = f'multigrid.max_batch_factor = {settings.max_batch_factor}'
    return text if settings.short_cycle else f'{text}, multigrid.short_cycle = False'


def print_caps(choices: Sequence[Choice], now: Settings, auto: Settings, base_updates: int) -> None:
    """Print one row per cap, and the line to paste where another one is advised."""
    rows = []
    for schedule, updates, found in choices:
        cap = schedule.settings.max_batch_factor
        line = lines_of(schedule.settings)
        marks = [text for text, settings in (('this config', now), ("'auto'", auto)) if line == lines_of(settings)]
        long = '' if schedule.settings.short_cycle else ', no short cycle'
        rows.append((f'{cap}{long}', str(updates), f'{100 * updates / base_updates:.0f} %', f'{found.hours:.3g} h',
                     f'{found.speedup:.2f}', f'{schedule.lr_factors[0][1]:.4g}', ', '.join(marks)))
    print_table(
        ('max_batch_factor', 'updates', 'of base training', 'wall-clock', 'times as fast', 'first lr factor', ''), rows,
        'what a cap on the batch costs and leaves', left=('', ))
    if lines_of(now) != lines_of(auto):
        print(f"advice: multigrid.max_batch_factor = 'auto' leaves updates enough (here: {lines_of(auto)})")


def print_hours(choice: Optional[Choice], hours: float, base_epochs_per_hour: float) -> None:
    """Print the schedule that fits into a budget."""
    base = f'base training would get through {base_epochs_per_hour * hours:.1f} of its epochs'
    if choice is None:
        print(f'in {hours:g} h: no schedule fits; {base}')
        return
    settings = choice.schedule.settings
    print(f'in {hours:g} h: multigrid.epoch_factor = {settings.epoch_factor:g}, {lines_of(settings)}: '
          f'{choice.schedule.max_epochs} epochs, {choice.updates} updates, '
          f'{choice.forecast.hours:.3g} h; {base}')
