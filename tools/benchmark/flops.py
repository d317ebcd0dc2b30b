"""What a batch at each shape of a schedule computes: are the paper's batches equal in cost?

    python tools/benchmark/flops.py CONFIG [CONFIG ...]

Counts the multiplications and additions of a forward pass of the backbone, nothing is run: no data, weights or GPU are
needed. The paper's batch factors take the cost of a clip to be its frames x pixels, of which attention is none.
"""

import argparse
import sys

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmaction_multigrid import multigrid_schedule
from mmaction_multigrid.models import follow_grid
from mmaction_multigrid.plan import build_model, schedule_shapes
from mmaction_multigrid.schedule import Shape


def count_flops(backbone: nn.Module, shape: Shape) -> int:
    """Of a forward of one clip."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone(torch.empty(1, 3, *shape[1:], shape[2], device='meta'))
    return counter.get_total_flops()


def relative_costs(cfg: Config) -> dict:
    """Operations of a batch over those of the base batch, by shape."""
    init_default_scope('mmaction')
    schedule, _ = multigrid_schedule(cfg)
    backbone = build_model(cfg.model).backbone
    backbone.train()  # which returns nothing in VideoSwin
    follow_grid(backbone)
    backbone.to('meta')
    flops = {shape: shape.batch_factor * count_flops(backbone, shape) for shape in schedule_shapes(schedule)}
    return {shape: number / flops[schedule.base.shape] for shape, number in flops.items()}


def main() -> int:
    """Print a table per config."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='multigrid configs')
    for path in parser.parse_args().configs:
        table = Table('clips x frames x crop', 'operations, of the base batch', title=path)
        for shape, ratio in relative_costs(Config.fromfile(path)).items():
            table.add_row(' x '.join(map(str, shape)), f'{ratio:.2f}')
        Console(width=120).print(table)
    return 0


if __name__ == '__main__':
    sys.exit(main())
