"""How a shape reaches a clip: batch sampler -> dataset wrapper -> transforms."""

from .batch_sampler import MultigridBatchSampler
from .dataset import MultigridDataset
from .grid import Grid, current_grid, open_grid
from .missing import build_dataset, check_train_data, leaves
from .rules import TransformRule, register_transform_rule
from .transform import MultigridTransform

__all__ = [
    'Grid', 'MultigridBatchSampler', 'MultigridDataset', 'MultigridTransform',
    'TransformRule', 'build_dataset', 'check_train_data', 'current_grid',
    'leaves', 'open_grid', 'register_transform_rule'
]
