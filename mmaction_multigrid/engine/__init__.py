"""Runner, loop, hooks and learning rate: the only room that knows the Runner."""

from .checkpoint_hook import MultigridCheckpointHook
from .compile_hook import CompileBackboneHook
from .loop import MultigridTrainLoop
from .lr import MultigridLR
from .multigrid_hook import MultigridHook
from .precise_bn_hook import PreciseBNHook
from .runner import MultigridRunner

__all__ = [
    'CompileBackboneHook', 'MultigridCheckpointHook', 'MultigridHook',
    'MultigridLR', 'MultigridRunner', 'MultigridTrainLoop', 'PreciseBNHook'
]
