"""The arithmetic of multigrid training; standard library only."""

from .lr import LRCurve, PiecewiseLR
from .schedule import BaseTraining, MultigridSchedule
from .settings import Settings
from .shapes import Shape, Stage, find_stage, frame_interval_range, num_bn_splits

__all__ = [
    'BaseTraining', 'LRCurve', 'MultigridSchedule', 'PiecewiseLR', 'Settings', 'Shape', 'Stage', 'find_stage',
    'frame_interval_range', 'num_bn_splits'
]
