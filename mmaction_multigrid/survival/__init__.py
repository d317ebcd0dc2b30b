"""What a run survives: crashed data workers, broken clips, half-written and hostile checkpoint files."""

from .bad_videos_hook import BadVideosHook
from .batches import BatchStream
from .checkpoint_backend import SafeLocalBackend, is_whole, write_whole
from .crashes import CrashedFile, Crashes
from .tally import Tally

__all__ = [
    'BadVideosHook', 'BatchStream', 'CrashedFile', 'Crashes', 'SafeLocalBackend', 'Tally', 'is_whole', 'write_whole'
]
