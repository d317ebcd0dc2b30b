"""Position embeddings, windows, clip sizes and acceleration of networks."""

from .acceleration import BFloat16OptimWrapper, CompileBackboneHook
from .positions import (InterpolatePosEmbedHook, PositionRule, PositionTable,
                        register_position_rule)

__all__ = [
    'BFloat16OptimWrapper', 'CompileBackboneHook', 'InterpolatePosEmbedHook',
    'PositionRule', 'PositionTable', 'register_position_rule'
]
