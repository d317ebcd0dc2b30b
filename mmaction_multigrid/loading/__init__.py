"""Fast loading in long runs: prefetching, broken files, dead workers."""

from .bad_videos_hook import BadVideosHook
from .broken import ReplaceBrokenClips
from .prefetch import PrefetchHook
from .segments import LimitToSegment, VideoSegmentDataset

__all__ = [
    'BadVideosHook', 'LimitToSegment', 'PrefetchHook', 'ReplaceBrokenClips',
    'VideoSegmentDataset'
]
