"""The multigrid method (Wu et al., CVPR 2020, arXiv 1912.00998).

This package is complete by itself: it needs MMAction2 and nothing else.
Importing it registers its parts.
"""

from .batch_sampler import MultigridBatchSampler
from .dataset import MultigridDataset
from .hook import MultigridHook
from .loop import MultigridTrainLoop
from .lr import MultigridLR
from .precise_bn import PreciseBNHook
from .schedule import MultigridSchedule
from .settings import BaseTraining, ScheduleSettings
from .transform_rules import register_transform_rule
from .transforms import MultigridTransform

__all__ = [
    'BaseTraining', 'MultigridBatchSampler', 'MultigridDataset',
    'MultigridHook', 'MultigridLR', 'MultigridSchedule', 'MultigridTrainLoop',
    'MultigridTransform', 'PreciseBNHook', 'ScheduleSettings',
    'register_transform_rule'
]
