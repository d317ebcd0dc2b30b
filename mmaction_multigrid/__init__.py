"""Multigrid training of video models for MMAction2 (Wu et al., CVPR 2020, arXiv 1912.00998).

Importing this package, which ``custom_imports`` in a config does, registers everything in MMAction2's registries.
"""

from .compat import prepare

prepare()

from .config import apply_multigrid, multigrid_schedule  # noqa: E402
from .datasets import register_transform_rule  # noqa: E402
from .engine import MultigridRunner  # noqa: E402
from .frame_store import GridStoreInit  # noqa: E402, F401  registers what reads it
from .models import PositionRule, PositionTable, register_position_rule  # noqa: E402
from .schedule import MultigridSchedule  # noqa: E402

__version__ = '1.0.0'
__all__ = [
    'MultigridRunner', 'MultigridSchedule', 'PositionRule', 'PositionTable', 'apply_multigrid', 'multigrid_schedule',
    'register_position_rule', 'register_transform_rule'
]
