"""Config in, resolved config out; knows the other rooms by registered name only."""

from .apply import apply_multigrid, multigrid_schedule

__all__ = ['apply_multigrid', 'multigrid_schedule']
