"""Measure steps at every shape, forecast schedules, and read runs."""

from .forecast import MeasuredTimes, forecast
from .network import without_weights
from .runs import Run, read_run
from .steps import StepProfile, profile_steps, schedule_shapes

__all__ = [
    'MeasuredTimes', 'Run', 'StepProfile', 'forecast', 'profile_steps',
    'read_run', 'schedule_shapes', 'without_weights'
]
