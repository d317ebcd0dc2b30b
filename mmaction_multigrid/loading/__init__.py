"""Fast loading in long runs: prefetching, broken files, dead workers."""

from .bad_videos_hook import BadVideosHook
from .broken import ReplaceBrokenClips
from .prefetch import PrefetchHook

__all__ = ['BadVideosHook', 'PrefetchHook', 'ReplaceBrokenClips']
