"""Batch norm for batches of varying size."""

from .bf16 import bfloat16
from .convert import NormReport, convert_sub_batch_norm, norm_report, set_bn_splits, whole_batches
from .precise_bn import PreciseBN
from .reach import feature_sides, smallest_map, temporal_kernel
from .sub_batch_norm import SubBatchNorm, SubBatchNorm3d, SubSyncBatchNorm

__all__ = [
    'NormReport', 'PreciseBN', 'SubBatchNorm', 'SubBatchNorm3d', 'SubSyncBatchNorm', 'bfloat16',
    'convert_sub_batch_norm', 'feature_sides', 'norm_report', 'set_bn_splits', 'smallest_map', 'temporal_kernel',
    'whole_batches'
]
