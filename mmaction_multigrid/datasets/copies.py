"""Copies of a clip's file, which a transform reads in its place, and what is told where one cannot be read."""

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Iterator, List, Optional, Tuple

_failures: ContextVar[Optional[List[Tuple[str, Exception]]]] = ContextVar('multigrid_copy_failures', default=None)


@contextmanager
def watch_copies() -> Iterator[List[Tuple[str, Exception]]]:
    """Inside the ``with`` block, copies that could not be read are added to the list, each with its error."""
    failures: List[Tuple[str, Exception]] = []
    token = _failures.set(failures)
    try:
        yield failures
    finally:
        _failures.reset(token)


def copy_failed(path: str, error: Exception) -> None:
    """Say that a copy could not be read, and that its original is read instead."""
    failures = _failures.get()
    if failures is not None:
        failures.append((path, error))
