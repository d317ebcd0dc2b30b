"""Networks for batches of varying shape: batch norm over groups of clips, positions that follow the grid."""

from .bf16 import BFloat16OptimWrapper, bfloat16
from .convert import NormReport, convert_sub_batch_norm, norm_report, set_bn_splits, whole_batches
from .positions import FollowsGrid, PositionRule, PositionTable, follow_grid, register_position_rule
from .precise_bn import PreciseBN
from .reach import check_sizes, feature_sides, smallest_map, temporal_kernel
from .sub_batch_norm import SubBatchNorm, SubBatchNorm3d, SubSyncBatchNorm

__all__ = [
    'BFloat16OptimWrapper', 'FollowsGrid', 'NormReport', 'PositionRule',
    'PositionTable', 'PreciseBN', 'SubBatchNorm', 'SubBatchNorm3d',
    'SubSyncBatchNorm', 'bfloat16', 'check_sizes', 'convert_sub_batch_norm',
    'feature_sides', 'follow_grid', 'norm_report', 'register_position_rule',
    'set_bn_splits', 'smallest_map', 'temporal_kernel', 'whole_batches'
]
