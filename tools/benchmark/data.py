"""Compare the CPU time of a clip at every shape with the stock pipeline's.

    python tools/benchmark/data.py CONFIG [--store GRID_STORE] [--clips N]

Loads the same clips in turn through the stock train pipeline and through
multigrid's, over the original files and over a grid store, in this process,
and prints CPU time as ratios; once more with full clips from the store, where
it holds their size. Then the CPU time of all clips of the whole schedule
beside that of base training.
"""

import argparse
import time
from typing import Any, Dict, List, Optional

import cv2
import numpy as np
import torch
from mmaction_multigrid import apply_multigrid, multigrid_schedule
from mmaction_multigrid.cli.common import add_config, load_config, print_table
from mmaction_multigrid.core.shapes import Shape
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from rich.progress import track

from mmaction.registry import DATASETS

STOCK = 'stock', None


def build_datasets(cfg: Config, store: Optional[str]) -> Dict[str, Any]:
    """Build the train dataset over the originals and over the store."""
    datasets = {}
    for name, folder, full in (('originals', None, False),
                               ('store', store, False), ('store, all', store,
                                                         True)):
        cfg.multigrid.update(grid_store=folder, grid_store_full=full)
        try:
            if name == 'originals' or folder:
                datasets[name] = DATASETS.build(
                    apply_multigrid(cfg).train_dataloader.dataset)
        except ValueError as error:
            if not full:
                raise
            print(error)  # the store was built without --full
    return datasets


def measure(stock: Any, datasets: Dict[str, Any], shapes: List[Shape],
            clips: int) -> Dict[tuple, np.ndarray]:
    """Measure CPU and wall-clock seconds, shape (clips, 2), of each item."""
    items = [STOCK, *((name, shape) for shape in shapes for name in datasets)]
    seconds: Dict[tuple, list] = {item: [] for item in items}
    order = np.random.default_rng(0).permutation(max(
        clips, len(stock)))[:clips] % len(stock)
    for number, index in enumerate(track(order.tolist(), 'clips')):
        first = number % len(items)  # each is first at times
        for name, shape in items[first:] + items[:first]:
            np.random.seed(number)
            cpu, wall = time.process_time(), time.perf_counter()
            pseudo_collate(
                [datasets[name][index, shape] if shape else stock[index]])
            seconds[name, shape].append(
                (time.process_time() - cpu, time.perf_counter() - wall))
    return {item: np.array(values) for item, values in seconds.items()}


def print_clips(seconds: Dict[tuple, np.ndarray], shapes: Dict[tuple, Shape],
                names: List[str]) -> None:
    """Print one row per shape."""
    stock, rows = seconds[STOCK], []
    for size, shape in sorted(shapes.items()):
        found = [seconds[name, shape] for name in names]
        ratios = [values[:, 0] / stock[:, 0] for values in found]
        rows.append((f'{size[0]} x {size[1]}',
                     *('{:.2f} ({:.2f} to {:.2f})'.format(
                         values[:, 0].mean() / stock[:, 0].mean(),
                         *np.percentile(ratio, (25, 75)))
                       for values, ratio in zip(found, ratios)),
                     *(f'{1 / values[:, 1].mean():.1f}' for values in found)))
    print(f'CPU time of a clip; of the stock pipeline at the base shape '
          f'{1e3 * stock[:, 0].mean():.1f} ms, '
          f'{1 / stock[:, 1].mean():.1f} clips a second in one process')
    print_table(
        ('frames x crop', *(f'{name}: of stock'
                            for name in names), *(f'{name}: clips a second'
                                                  for name in names)), rows)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config(parser, clips=False)
    parser.add_argument('--store', help='grid store of the videos')
    parser.add_argument(
        '--clips',
        type=int,
        default=100,
        help='clips to load at each shape; default: 100')
    args = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    cfg = load_config(args)
    schedule, _ = multigrid_schedule(cfg)
    shapes = {
        shape[1:]: shape
        for stage in schedule.stages for shape in stage.shapes
    }
    datasets = build_datasets(cfg, args.store)
    seconds = measure(
        DATASETS.build(cfg.train_dataloader.dataset), datasets,
        [shapes[size] for size in sorted(shapes)], args.clips)
    print_clips(seconds, shapes, list(datasets))
    stock = seconds[STOCK][:, 0].mean()
    for name in datasets:
        total = sum(stage.epochs / sum(shape.batch_factor
                                       for shape in stage.shapes) *
                    sum(shape.batch_factor *
                        seconds[name, shapes[shape[1:]]][:, 0].mean()
                        for shape in stage.shapes)
                    for stage in schedule.stages)
        total /= schedule.base.max_epochs * stock
        print(f'all clips of the whole schedule, {name}: {total:.2f} of '
              'the CPU time of base training')


if __name__ == '__main__':
    main()
