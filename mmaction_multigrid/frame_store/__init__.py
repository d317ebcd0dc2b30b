"""The frame store: small copies of the videos, their writer and reader."""

from .hook import FrameStoreHook
from .transforms import GridStoreDecode, GridStoreInit

__all__ = ['FrameStoreHook', 'GridStoreDecode', 'GridStoreInit']
