"""The grid store: smaller copies of the videos. Which sizes, how they are built, indexed and read."""

from .read import GridStoreDecode, GridStoreInit

__all__ = ['GridStoreDecode', 'GridStoreInit']
