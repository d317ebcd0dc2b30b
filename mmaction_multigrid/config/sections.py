"""Parts of a config."""

from typing import Mapping


def section(config: Mapping, key: str, where: str = '') -> Mapping:
    """A dict in a config; an empty one where it is None or missing.

    Raises:
        TypeError: It is something else.
    """
    value = config.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f'{where}{key} = {value!r}: must be a dict')
    return value or {}
