"""The grid store: smaller copies of the videos. Which sizes, how they are built, how they are read."""

from .read import UseGridStore

__all__ = ['UseGridStore']
