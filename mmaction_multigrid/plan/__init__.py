"""What a user wants to know beforehand, and afterwards: probe, forecast, warnings, drawings, runs."""

from .forecast import Forecast, count_clips, forecast, loader_rows, step_seconds
from .probe import Probe, build_model, probe_schedule, probe_shapes, schedule_shapes, without_weights
from .runs import Point, Run, compare, read_run
from .warnings import data_warnings, shape_warnings

__all__ = [
    'Forecast', 'Point', 'Probe', 'Run', 'build_model', 'compare', 'count_clips', 'data_warnings', 'forecast',
    'loader_rows', 'probe_schedule', 'probe_shapes', 'read_run', 'schedule_shapes', 'shape_warnings', 'step_seconds',
    'without_weights'
]
