"""What networks need beside batch norm: positions, windows, sizes."""

from .bf16 import BFloat16OptimWrapper
from .compile_hook import CompileBackboneHook
from .positions import (InterpolatePosEmbedHook, PositionRule, PositionTable,
                        register_position_rule)

__all__ = [
    'BFloat16OptimWrapper', 'CompileBackboneHook', 'InterpolatePosEmbedHook',
    'PositionRule', 'PositionTable', 'register_position_rule'
]
