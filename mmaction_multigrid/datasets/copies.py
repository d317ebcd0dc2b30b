"""Copies of a clip's file, which a transform may have taken in its place."""

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Iterator, Optional

_originals: ContextVar[bool] = ContextVar('multigrid_originals', default=False)
_copy: ContextVar[Optional[str]] = ContextVar('multigrid_copy', default=None)


@contextmanager
def watch_copies(originals: bool = False) -> Iterator[ContextVar]:
    """Inside the ``with`` block, ``.get()`` tells the copy that was taken last, None if none was.

    Args:
        originals: Take none, and read the originals instead.
    """
    tokens = _originals.set(originals), _copy.set(None)
    try:
        yield _copy
    finally:
        _originals.reset(tokens[0])
        _copy.reset(tokens[1])


def originals_only() -> bool:
    """Whether no copy is to be taken."""
    return _originals.get()


def took_copy(path: str) -> None:
    """Say which copy is taken."""
    _copy.set(path)
