"""Run a script where mmdet's dependencies are not installed.

    python stand_ins.py FOLDER SCRIPT ARGS...

FOLDER holds mmdet. Modules that it imports and that detection of actions does
not need are empty, and ``RoIAlign``, which mmcv-lite lacks, is one of torch's
own functions.
"""

import builtins
import multiprocessing
import runpy
import sys
from importlib.machinery import ModuleSpec
from multiprocessing.pool import ThreadPool
from types import ModuleType

import mmengine.config.config
import torch
import torch.nn.functional as F

ABSENT = ('mmcv.ops', 'pycocotools', 'shapely', 'six', 'terminaltables',
          'tqdm')


class RoIAlign(torch.nn.Module):
    """Average of four points in each bin, of boxes on a feature map."""

    def __init__(self, output_size, spatial_scale, aligned, **kwargs):
        super().__init__()
        assert aligned
        self.size, self.scale = output_size, spatial_scale

    def forward(self, features, rois):
        count = 2 * self.size
        begin, end = (rois[:, 1:] * self.scale).split(2, 1)
        steps = (torch.arange(count) + 0.5) / count
        # (boxes, points, x or y) in pixels, then in [-1, 1]
        points = begin[:, None] + (end - begin)[:, None] * steps[:, None]
        points = 2 * points / torch.tensor(features.shape[:1:-1]) - 1
        grid = torch.stack(
            torch.broadcast_tensors(points[:, None, :, 0], points[:, :, None,
                                                                  1]), -1)
        sampled = F.grid_sample(
            features[rois[:, 0].long()],
            grid,
            padding_mode='border',
            align_corners=False)
        return F.avg_pool2d(sampled, 2)


class StandIn(ModuleType):
    __path__ = ()

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        known = dict(vars(builtins), RoIAlign=RoIAlign)  # six has map and zip
        return known.get(name) or type(name, (), {})


class Finder:
    """Find empty modules."""

    def find_spec(self, name, path=None, target=None):
        if name.startswith(ABSENT):
            return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return StandIn(spec.name)

    def exec_module(self, module):
        pass


if __name__ == '__main__':
    sys.meta_path.insert(0, Finder())
    # AVAMetric starts 32 processes in every validation.
    multiprocessing.Pool = lambda processes: ThreadPool(1)
    # The layout of a config's text takes seconds for every checkpoint.
    mmengine.config.config.FormatCode = lambda text, **kwargs: (text, False)
    sys.path.insert(1, sys.argv[1])
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name='__main__')
