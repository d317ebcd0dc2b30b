"""Parts of a config."""

from types import FunctionType
from typing import Any, Mapping


def section(config: Mapping, key: str, where: str = '') -> Mapping:
    """A dict in a config; an empty one where it is None or missing.

    Raises:
        TypeError: It is something else.
    """
    value = config.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f'{where}{key} = {value!r}: must be a dict')
    return value or {}


def name_types(value: Any) -> Any:
    """Replace classes and functions by their names, which registries find.

    Args:
        value: A config, or a part of one: ``type=SGD`` of a config that
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
