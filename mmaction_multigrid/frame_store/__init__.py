"""The frame store: small copies of the videos, their writer and reader."""

from .transforms import GridStoreDecode, GridStoreInit

__all__ = ['GridStoreDecode', 'GridStoreInit']
