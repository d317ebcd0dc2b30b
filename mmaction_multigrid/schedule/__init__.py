"""The arithmetic of multigrid training; standard library only."""

from .checks import check_count, is_count
from .lr import LRCurve, PiecewiseLR
from .schedule import BaseTraining, MultigridSchedule
from .settings import Settings
from .shapes import Shape, Stage, find_stage, frame_interval_range, norm_groups, num_bn_splits

__all__ = [
    'BaseTraining', 'LRCurve', 'MultigridSchedule', 'PiecewiseLR', 'Settings', 'Shape', 'Stage', 'check_count',
    'find_stage', 'frame_interval_range', 'is_count', 'norm_groups', 'num_bn_splits'
]
