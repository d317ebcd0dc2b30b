"""Tables of what tools/benchmark/shapes.py measured.

Imported by tools/study/report.py, which puts them into docs/results/README.md; nothing to run here.
"""

import json
from pathlib import Path
from typing import List, Sequence

from mmengine.config import Config

from mmaction_multigrid import multigrid_schedule, plan
from mmaction_multigrid.schedule import MultigridSchedule, Shape

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / 'docs' / 'results'
CLIPS, PROCESSES = 240000, 8  # Kinetics-400 on eight GPUs


def read(name: str) -> dict:
    """The record, its rows by precision, those of a base batch last."""
    found = json.loads((RESULTS / f'{name}.json').read_text())
    found['fp32'], found['bfloat16'] = ([row for row in found['rows'] if row['precision'] == precision]
                                        for precision in ('fp32', 'bfloat16'))
    return found


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in (header, ['---'] * len(header), *rows))


def shapes_table(name: str) -> str:
    """One row a shape."""
    found = read(name)
    header = ['clips x frames x crop', 'step, fp32 (s)', 'of the base shape', 'clips/s', 'step, bfloat16 (s)',
              'of the base shape', 'clips/s loaded']
    on_gpu = found['device'] != 'cpu'  # elsewhere the memory of a process says little of a step's
    rows = []
    for full, half in zip(found['fp32'], found['bfloat16']):
        bases = [found[precision][-1]['seconds'] for precision in ('fp32', 'bfloat16')]
        loaded = full['loaded_per_second']
        cells = [f'{full["clips"]} x {full["num_frames"]} x {full["crop_size"]}', f'{full["seconds"]:.3f}',
                 f'{full["seconds"] / bases[0]:.2f}', f'{full["clips"] / full["seconds"]:.0f}',
                 f'{half["seconds"]:.3f}', f'{half["seconds"] / bases[1]:.2f}', f'{loaded:.0f}' if loaded else '']
        rows.append(cells + [f'{row["peak_memory"] / 2**20:.0f}' for row in (full, half) if on_gpu])
    return markdown(header + (['memory, fp32 (MiB)', 'bfloat16 (MiB)'] if on_gpu else []), rows)


def steps_table(*names: str) -> str:
    """One row a model and precision: every shape's step and memory over those of the base shape."""
    header, rows = (), []
    for name in names:
        found = read(name)
        for precision in ('fp32', 'bfloat16'):
            *coarse, base = found[precision]
            cells = [f'{row["seconds"] / base["seconds"]:.2f} ({row["peak_memory"] / base["peak_memory"]:.2f})'
                     for row in coarse]
            rows.append([f'{title_of(found)}, {precision}', *cells])
            frames, crop = base['num_frames'], base['crop_size']
            header = ('step (memory), of the base shape', *(
                f'frames {row["num_frames"] / frames:.2g}, crop {row["crop_size"] / crop:.1g}' for row in coarse))
    return markdown(header, rows)


def title_of(found: dict) -> str:
    """The model of a record."""
    return Path(found['config']).stem.split('_8x')[0].split('_32x')[0].replace('-multigrid', '')


def forecast(schedule: MultigridSchedule, rows: List[dict], loaders: dict = None) -> tuple:
    """Hours of multigrid and of base training on Kinetics-400; with clips as fast as they were loaded, or all ready."""
    batch_size = rows[-1]['clips']
    shapes = [Shape(row['clips'] // batch_size, row['num_frames'], row['crop_size']) for row in rows]
    steps = {shape: row['seconds'] for shape, row in zip(shapes, rows)}
    loads = {}
    if loaders:
        loads = {shape[1:]: 1 / row['loaded_per_second'] for shape, row in zip(shapes, rows)}
        loads[None] = 1 / loaders['stock_loaded_per_second']
    found = plan.forecast(schedule, plan.Costs(steps, loads=loads), batch_size, CLIPS // PROCESSES)
    return found.hours, found.base_hours


def forecast_table(*names: str) -> str:
    """One row a model and precision."""
    header = ('config', 'base step (s)', 'coarsest', 'memory, base step (MiB)', 'coarsest',
              'Kinetics-400, baseline (h)', 'multigrid (h)', 'times as fast')
    rows = []
    for name in names:
        found = read(name)
        schedule, _ = multigrid_schedule(Config.fromfile(str(ROOT / found['config'])))
        for precision in ('fp32', 'bfloat16'):
            measured = found[precision]
            for loaders, text in ((None, ''), (found, ', with the loader')):
                if loaders and not measured[0]['loaded_per_second']:
                    continue
                ours, base = forecast(schedule, measured, loaders)
                rows.append([f'{title_of(found)}, {precision}{text}',
                             *(f'{row["seconds"]:.3f}' for row in (measured[-1], measured[0])),
                             *(f'{row["peak_memory"] / 2**20:.0f}' for row in (measured[-1], measured[0])),
                             f'{base:.1f}', f'{ours:.1f}', f'{base / ours:.2f}x'])
    return markdown(header, rows)
