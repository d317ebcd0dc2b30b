"""Parts of a config and the names of their types."""

from typing import Any, Mapping


def type_name(value: Any) -> str:
    """Name of a config's ``type``, which may be a string with a scope, or a class."""
    return value.rsplit('.', 1)[-1] if isinstance(value, str) else getattr(value, '__name__', str(value))


def section(config: Mapping, key: str, where: str = '') -> Mapping:
    """A dict in a config; an empty one where it is None or missing.

    Raises:
        TypeError: It is something else.
    """
    value = config.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f'{where}{key} = {value!r}: must be a dict')
    return value or {}
