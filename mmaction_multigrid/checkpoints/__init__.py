"""Checkpoints that are complete, harmless and of the right schedule."""

from .checkpoint_hook import MultigridCheckpointHook
from .resume_check import ResumeCheckHook

__all__ = ['MultigridCheckpointHook', 'ResumeCheckHook']
