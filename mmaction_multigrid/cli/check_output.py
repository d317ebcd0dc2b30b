"""What the command check prints."""

from typing import List, Optional, Sequence

from ..profiling.advice import Choice
from ..profiling.forecast import Forecast, Hours
from ..profiling.probe import Probe
from ..schedule import MultigridSchedule, Settings, Shape
from .output import print_table

NAMES = dict(waiting='waiting for data', precise_bn='precise BN')


def print_probes(probes: Sequence[Probe], base_shape: Shape) -> None:
    """Print one row per shape."""
    base = next(probe for probe in probes if probe.shape == base_shape)
    rows = []
    for probe in probes:
        memory = ratio = positions = '-'
        if probe.peak_memory is not None:
            memory = f'{probe.peak_memory / 2**20:.0f} MiB'
            if base.peak_memory:
                ratio = f'{probe.peak_memory / base.peak_memory:.2f}'
        if probe.feature_size is not None:
            positions = f'{probe.feature_size} x {probe.feature_size}'
        rows.append((
            f'{probe.clips} x {probe.shape.num_frames} x '
            f'{probe.shape.crop_size}', f'{probe.seconds:.3f} s',
            f'{probe.seconds / base.seconds:.2f}', memory, ratio,
            'failed' if probe.error else f'{probe.loss:.3f}', positions))
    print_table(
        ('clips x frames x crop', 'time', 'of the base shape', 'peak memory',
         'of the base shape', 'loss', 'positions'), rows,
        'one training step at every shape')


def print_forecast(schedule: MultigridSchedule, found: Forecast,
                   clips: Optional[int], missing: List[str]) -> None:
    """Print where the time of both runs goes.

    Only the ratio where the number of clips is unknown.
    """
    text = (f'speed-up: {found.speedup:.2f}x at the measured times, '
            f'{schedule.predicted_speedup:.2f}x if all pixels took the same '
            'time')
    if missing:
        text += ('; left out, since its data are not here: '
                 + ', '.join(missing))
    print(text)
    if clips:
        rows = [(NAMES.get(name, name), f'{ours:.3g} h', f'{base:.3g} h')
                for name, ours, base in zip(Hours._fields, *found)]
        rows += [(), ('wall-clock', f'{found.hours:.3g} h',
                      f'{found.base_hours:.3g} h')]
        print_table(('', 'multigrid', 'base training'), rows,
                    f'forecast for {clips} clips on this device', left=('', ))


def print_loading(rows: List[tuple], workers: int) -> None:
    """Print one row per stage."""
    print_table(
        ('epochs', 'clips a second that training takes',
         'that a worker loads', 'workers that keep up'),
        [(epochs, f'{taken:.1f}', f'{loaded:.1f}',
          f'{count}{" *" * (count > workers)}')
         for epochs, taken, loaded, count in rows],
        f'a process; * more than train_dataloader.num_workers = {workers}')


def lines_of(settings: Settings) -> str:
    """The lines of a config that make the batches of a schedule."""
    text = f'multigrid.max_batch_factor = {settings.max_batch_factor}'
    if settings.short_cycle:
        return text
    return f'{text}, multigrid.short_cycle = False'


def print_caps(choices: Sequence[Choice], now: Settings, auto: Settings,
               base_updates: int) -> None:
    """Print one row per cap."""
    rows = []
    for schedule, updates, found in choices:
        settings = schedule.settings
        marks = [text for text, other in (('this config', now),
                                          ("'auto'", auto))
                 if lines_of(settings) == lines_of(other)]
        long = '' if settings.short_cycle else ', no short cycle'
        rows.append((
            f'{settings.max_batch_factor}{long}', str(updates),
            f'{100 * updates / base_updates:.0f} %', f'{found.hours:.3g} h',
            f'{found.speedup:.2f}', f'{schedule.lr_factors[0][1]:.4g}',
            ', '.join(marks)))
    print_table(
        ('max_batch_factor', 'updates', 'of base training', 'wall-clock',
         'times as fast', 'first lr factor', ''), rows,
        'what a cap on the batch costs and leaves', left=('', ))


def print_hours(choice: Optional[Choice], hours: float,
                base_epochs: float) -> None:
    """Print the schedule that fits into a budget."""
    text = 'no schedule fits'
    if choice:
        settings = choice.schedule.settings
        text = (f'multigrid.epoch_factor = {settings.epoch_factor:g}, '
                f'{lines_of(settings)}: {choice.schedule.max_epochs} epochs, '
                f'{choice.updates} updates, {choice.forecast.hours:.3g} h')
    print(f'in {hours:g} h: {text}; base training would get through '
          f'{base_epochs:.1f} of its epochs')
