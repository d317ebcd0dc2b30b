"""Steps at every shape, forecasts, warnings, pictures, and what runs did."""

from .build import build_model, without_weights
from .forecast import Costs, Forecast, Hours, StepTimes, forecast, worker_rows
from .probe import Probe, probe_shapes, schedule_shapes
from .runs import Point, Run, compare, read_run
from .warnings import shape_warnings

__all__ = [
    'Costs', 'Forecast', 'Hours', 'Point', 'Probe', 'Run', 'StepTimes',
    'build_model', 'compare', 'forecast', 'probe_shapes', 'read_run',
    'schedule_shapes', 'shape_warnings', 'without_weights', 'worker_rows'
]
