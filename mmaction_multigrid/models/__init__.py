"""Batch norm for batches of varying size."""

from .precise_bn import PreciseBN
from .sub_batch_norm import SubBatchNorm3d, convert_sub_batch_norm, set_bn_splits, whole_batches

__all__ = ['PreciseBN', 'SubBatchNorm3d', 'convert_sub_batch_norm', 'set_bn_splits', 'whole_batches']
