"""What a user gives: is it what it should be, and what is it called?"""

from math import isfinite
from numbers import Real
from typing import Any


def is_count(value: Any) -> bool:
    """Whether ``value`` is an integer of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def is_number(value: Any) -> bool:
    """Whether ``value`` is a real number; neither infinite nor a bool."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def type_name(value: Any) -> str:
    """Name of a config's ``type``, which may be a string with a scope, or a class."""
    return value.rsplit('.', 1)[-1] if isinstance(value, str) else getattr(value, '__name__', str(value))


def check_count(name: str, value: Any) -> None:
    """Check an integer of at least 1.

    Raises:
        ValueError: It is none; the message names it.
    """
    if not is_count(value):
        raise ValueError(f'{name} = {value!r}: must be an integer of at least 1')
