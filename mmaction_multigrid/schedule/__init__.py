"""The arithmetic of multigrid training; standard library only."""

from .base import BaseTraining
from .checks import check_count, is_count, is_number, type_name
from .lr import PiecewiseLR, Span
from .schedule import MultigridSchedule
from .settings import Settings
from .shapes import Shape, frame_interval_range, norm_groups, num_bn_splits
from .stages import (
    Segment,
    Stage,
    count_batches,
    count_iterations,
    find_stage,
    precise_bn_batches,
    stages_from_config,
    stages_to_config,
)
from .waiting import Waiting

__all__ = [
    'BaseTraining', 'MultigridSchedule', 'PiecewiseLR', 'Segment', 'Settings', 'Shape', 'Span', 'Stage', 'Waiting',
    'check_count', 'count_batches', 'count_iterations', 'find_stage', 'frame_interval_range', 'is_count',
    'is_number', 'norm_groups', 'num_bn_splits', 'precise_bn_batches', 'stages_from_config', 'stages_to_config',
    'type_name'
]
