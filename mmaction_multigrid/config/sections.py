"""Helpers for reading a config."""

from math import isfinite
from numbers import Real
from types import FunctionType
from typing import Any, Mapping

from ..core.batch_sampler import is_positive_int


def is_number(value: Any) -> bool:
    """Check for a finite real number, which a bool is not."""
    return (isinstance(value, Real) and not isinstance(value, bool)
            and isfinite(value))


def check_count(name: str, value: Any) -> None:
    """Check for an integer of at least 1.

    Raises:
        ValueError: It is none; the message names it.
    """
    if not is_positive_int(value):
        raise ValueError(
            f'{name} = {value!r}: must be an integer of at least 1')


def section(config: Mapping, key: str, where: str = '') -> Mapping:
    """Return a dict of a config, an empty one where it is None or missing.

    Raises:
        TypeError: It is something else.
    """
    value = config.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f'{where}{key} = {value!r}: must be a dict')
    return value or {}


def name_types(value: Any) -> Any:
    """Replace classes and functions by names that registries find.

    Args:
        value: A config or a part of one: ``type=SGD`` of a config that
            imports it becomes ``type='torch.optim.sgd.SGD'``.

    Returns:
        The same in plain dicts, lists and tuples.
    """
    if isinstance(value, Mapping):
        return {key: name_types(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(name_types(entry) for entry in value)
    if isinstance(value, (type, FunctionType)):
        name = f'{value.__module__}.{value.__qualname__}'
        return value if '<' in name else name  # a local one has no name
    return value
