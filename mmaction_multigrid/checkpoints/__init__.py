"""Atomic writing, safe loading and schedule checks of checkpoints."""

from .checkpoint_hook import MultigridCheckpointHook
from .resume_check import ResumeCheckHook

__all__ = ['MultigridCheckpointHook', 'ResumeCheckHook']
