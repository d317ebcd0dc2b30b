"""The arithmetic of multigrid training; standard library only."""

from .base import BaseTraining
from .checks import check_count, is_count, is_number, type_name
from .clip_list import BYTE_ORDER_MARK, read_list, video_path
from .describe import clamped_frames, count_base_updates, count_updates
from .lr import PiecewiseLR, Span
from .schedule import MultigridSchedule
from .settings import AUTO, COST, Settings
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
from .updates import ENOUGH_UPDATES, auto_settings, enough_updates
from .waiting import Waiting
from .warnings import crop_warning, data_warnings, frames_warning

__all__ = [
    'AUTO', 'BYTE_ORDER_MARK', 'BaseTraining', 'COST', 'ENOUGH_UPDATES',
    'MultigridSchedule', 'PiecewiseLR', 'Segment', 'Settings', 'Shape', 'Span',
    'Stage', 'Waiting', 'auto_settings', 'check_count', 'clamped_frames',
    'count_base_updates', 'count_batches', 'count_iterations', 'count_updates',
    'crop_warning', 'data_warnings', 'enough_updates', 'find_stage',
    'frame_interval_range', 'frames_warning', 'is_count', 'is_number',
    'norm_groups', 'num_bn_splits', 'precise_bn_batches', 'read_list',
    'stages_from_config', 'stages_to_config', 'type_name', 'video_path'
]
