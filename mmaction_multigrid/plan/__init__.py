"""What a user wants to know beforehand, and afterwards: probe, forecast, advice, warnings, drawings, runs."""

from .build import build_model, without_weights
from .forecast import Costs, Forecast, Hours, forecast, step_seconds, worker_rows
from .probe import Probe, probe_schedule, probe_shapes, schedule_shapes
from .runs import Point, Run, compare, read_run
from .warnings import shape_warnings

__all__ = [
    'Costs', 'Forecast', 'Hours', 'Point', 'Probe', 'Run', 'build_model', 'compare', 'forecast', 'probe_schedule',
    'probe_shapes', 'read_run', 'schedule_shapes', 'shape_warnings', 'step_seconds', 'without_weights', 'worker_rows'
]
