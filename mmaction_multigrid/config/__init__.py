"""The ``multigrid`` key: from a base config to a resolved config."""

from .resolve import apply_multigrid, multigrid_schedule
from .runner import MultigridRunner

__all__ = ['MultigridRunner', 'apply_multigrid', 'multigrid_schedule']
