"""Checks of what a user gives."""

from typing import Any


def is_count(value: Any) -> bool:
    """Whether ``value`` is an integer of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def check_count(name: str, value: Any) -> None:
    """Check an integer of at least 1.

    Raises:
        ValueError: It is none; the message names it.
    """
    if not is_count(value):
        raise ValueError(f'{name} = {value!r}: must be an integer of at least 1')
