"""Multigrid training of video models for MMAction2 (arXiv 1912.00998).

``custom_imports`` in a config imports this package, which registers its parts
in MMAction2's registries.
"""

from .compat import prepare

prepare()

from .checkpoints import ResumeCheckHook  # noqa: E402, F401
from .config import MultigridRunner  # noqa: E402
from .config import apply_multigrid, multigrid_schedule  # noqa: E402
from .core import MultigridSchedule, register_transform_rule  # noqa: E402
from .frame_store import FrameStoreHook  # noqa: E402, F401
from .loading import PrefetchHook  # noqa: E402, F401
from .models import register_position_rule  # noqa: E402
from .models import PositionRule, PositionTable  # noqa: E402
from .profiling.start_report import StartReportHook  # noqa: E402, F401

__version__ = '1.0.0'
__all__ = [
    'MultigridRunner', 'MultigridSchedule', 'PositionRule', 'PositionTable',
    'apply_multigrid', 'multigrid_schedule', 'register_position_rule',
    'register_transform_rule'
]
