"""What loading a clip costs at every grid shape, beside the stock pipeline at the base shape.

    python tools/benchmark/data.py CONFIG [--list FILE --root VIDEOS] [--store GRID_STORE] [--clips N]

Opens, decodes, transforms and collates the same clips in turn through the stock train pipeline and through multigrid's,
over the original files and over a grid store, in this process, and prints CPU time as ratios; once more with full clips
from the store, too, where it holds their size. Then the CPU time of all clips of the whole schedule beside that of base
training.
"""

import argparse
import time
from typing import Any, Dict, List, Optional

import cv2
import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmaction_multigrid import MultigridSchedule, apply_multigrid, multigrid_schedule
from mmaction_multigrid.core.shapes import Shape

STOCK, ORIGINALS, STORE, FULL = 'stock', 'originals', 'store', 'store, all'


def build_datasets(cfg: Config, store: Optional[str]) -> Dict[str, Any]:
    """The train data set of the base config, and of the multigrid config over the originals and over the store."""
    datasets = {STOCK: DATASETS.build(cfg.train_dataloader.dataset)}
    for name, folder in ((ORIGINALS, None), (STORE, store), (FULL, store)):
        if name == ORIGINALS or folder:
            cfg.multigrid.update(grid_store=folder, grid_store_full=name == FULL)
            try:
                datasets[name] = DATASETS.build(apply_multigrid(cfg).train_dataloader.dataset)
            except ValueError as error:
                if name != FULL:
                    raise
                print(error)  # the store was built without --full
    return datasets


def measure(datasets: Dict[str, Any], shapes: List[Shape], clips: int) -> Dict[tuple, np.ndarray]:
    """CPU and wall-clock seconds, shape (clips, 2), of each (data set, shape); the stock one's shape is None."""
    items = [(STOCK, None)] + [(name, shape) for shape in shapes for name in datasets if name != STOCK]
    seconds: Dict[tuple, list] = {item: [] for item in items}
    order = np.random.default_rng(0).permutation(max(clips, len(datasets[STOCK])))[:clips] % len(datasets[STOCK])
    for number, index in enumerate(track(order.tolist(), 'clips')):
        for name, shape in items[number % len(items):] + items[:number % len(items)]:  # each is first at times
            np.random.seed(number)
            cpu, wall = time.process_time(), time.perf_counter()
            pseudo_collate([datasets[name][index if shape is None else (index, shape)]])
            seconds[name, shape].append((time.process_time() - cpu, time.perf_counter() - wall))
    return {item: np.array(values) for item, values in seconds.items()}


def ratio(ours: np.ndarray, stock: np.ndarray) -> str:
    """Ratio of the means, and the quartiles over the clips."""
    low, high = np.percentile(ours / stock, (25, 75))
    return f'{ours.mean() / stock.mean():.2f} ({low:.2f} to {high:.2f})'


def whole_schedule(schedule: MultigridSchedule, cost: Dict[tuple, float], stock: float) -> float:
    """CPU time for the clips of the whole schedule, relative to base training's; ``cost`` is by (frames, crop)."""
    total = 0.
    for stage in schedule.stages:
        batches = sum(shape.batch_factor for shape in stage.shapes)
        total += stage.epochs * sum(shape.batch_factor * cost[shape[1:]] for shape in stage.shapes) / batches
    return total / (schedule.base.max_epochs * stock)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='path of a multigrid config')
    parser.add_argument('--list', help="annotation file; default: the config's")
    parser.add_argument('--root', help="folder of the videos; default: the config's")
    parser.add_argument('--store', help='folder of a grid store of these videos')
    parser.add_argument('--clips', type=int, default=100, help='clips to load at each shape; default: 100')
    args = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    cfg = Config.fromfile(args.config)
    if args.list:
        cfg.train_dataloader.dataset.ann_file = args.list
    if args.root:
        cfg.train_dataloader.dataset.data_prefix = dict(video=args.root)
    init_default_scope('mmaction')
    schedule, _ = multigrid_schedule(cfg)
    shapes = {shape[1:]: shape for stage in schedule.stages for shape in stage.shapes}
    datasets = build_datasets(cfg, args.store)
    seconds = measure(datasets, [shapes[size] for size in sorted(shapes)], args.clips)
    stock, ours = seconds[STOCK, None], [name for name in datasets if name != STOCK]
    cpu, rate = 1e3 * stock[:, 0].mean(), 1 / stock[:, 1].mean()
    table = Table(title=f'CPU time a clip; the stock pipeline at the base shape takes {cpu:.1f} ms and loads '
                        f'{rate:.1f} clips a second in one process')
    titles = [f'{name}: {what}' for what in ('of stock', 'clips a second') for name in ours]
    for column in ('frames x crop', *titles):
        table.add_column(column, justify='right')
    for size, shape in sorted(shapes.items()):
        found = [seconds[name, shape] for name in ours]
        table.add_row(f'{size[0]} x {size[1]}', *(ratio(values[:, 0], stock[:, 0]) for values in found),
                      *(f'{1 / values[:, 1].mean():.1f}' for values in found))
    Console(width=170).print(table)
    for name in ours:
        cost = {size: seconds[name, shape][:, 0].mean() for size, shape in shapes.items()}
        total = whole_schedule(schedule, cost, stock[:, 0].mean())
        print(f'all clips of the whole schedule, {name}: {total:.2f} of the CPU time of base training')


if __name__ == '__main__':
    main()
