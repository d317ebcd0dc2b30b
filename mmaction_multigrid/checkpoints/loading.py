"""Load checkpoint files without running code that they name."""

import os.path as osp
import pickle
from functools import partial
from typing import Any, Callable

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

# Errors of torch.load at a file that is refused or damaged.
REASONS = (pickle.UnpicklingError, AttributeError, LookupError, TypeError,
           ValueError)


class _DType:
    """Replacement of a numpy dtype, for numbers and text only.

    The pickled state of numpy's class could declare memory to be pointers to
    Python objects.
    """

    def __init__(self, name: str, *options: Any) -> None:
        self.value = np.dtype(name)
        if self.value.kind not in 'biufcSU':
            raise pickle.UnpicklingError(f'numpy.dtype({name!r:.80})')

    def __setstate__(self, state: tuple) -> None:
        # The only part of the state that a dtype of numbers needs.
        self.value = self.value.newbyteorder(state[1])


class _Array:
    """Replacement of a numpy array whose dtype is a :class:`_DType`."""

    value: np.ndarray

    def __init__(self, *_: Any) -> None:
        """Ignore the arguments, because pickle sets a state afterwards."""

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, memory = state
        # A copy, because an array over bytes is read-only.
        order = 'F' if fortran else 'C'
        self.value = np.ndarray(
            shape, dtype.value, memory, order=order).copy(order)


def _scalar(dtype: _DType, memory: bytes) -> np.generic:
    return np.ndarray((), dtype.value, memory)[()]


def _plain(value: Any) -> Any:
    """Replace :class:`_Array` and :class:`_DType` by numpy's objects."""
    if isinstance(value, (_Array, _DType)):
        return value.value
    if isinstance(value, HistoryBuffer):
        _plain(vars(value))
    elif isinstance(value, dict):
        for key in value:
            value[key] = _plain(value[key])
    elif isinstance(value, list):
        value[:] = map(_plain, value)
    return tuple(map(_plain, value)) if type(value) is tuple else value


# Functions of a class are pickled as getattr(owner, name).
_METHODS = {
    HistoryBuffer: ('min', 'max', 'current', 'mean'),
    OneCycleParamScheduler: ('_annealing_cos', '_annealing_linear')
}


def _getattr(owner: Any, name: str) -> Any:
    """Replace ``getattr``, for the methods that mmengine pickles only."""
    if name not in _METHODS.get(owner, ()):
        raise pickle.UnpicklingError(f'getattr({owner!r:.80}, {name!r:.80})')
    return getattr(owner, name)


# Names in mmengine's checkpoints beside those that torch allows. torch calls
# the first of each pair in place of what the second names.
_ALLOWED = [
    *((kind, f'{kind.__module__}.{kind.__qualname__}')
      for kind in (HistoryBuffer, OneCycleParamScheduler, ConfigDict)),
    # numpy 2 renamed its module: checkpoints of both versions load.
    (_Array, 'numpy.core.multiarray._reconstruct'),
    (_Array, 'numpy._core.multiarray._reconstruct'),
    (_scalar, 'numpy.core.multiarray.scalar'),
    (_scalar, 'numpy._core.multiarray.scalar'),
    (_Array, 'numpy.ndarray'),
    (_DType, 'numpy.dtype'),
    (_getattr, 'builtins.getattr'),
    (bytes, 'builtins.bytes')  # of an empty array
]


def _load(read: Callable[..., dict], source: str) -> dict:
    """Call a function like ``torch.load``, and explain a refusal."""
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            # None means True, unless TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is set.
            return _plain(read(weights_only=None))
    except REASONS as error:
        # torch's message goes on with advice to load the file unsafely.
        reason = str(error.__context__ or error).split('. ')[0].rstrip('.')
        raise pickle.UnpicklingError(
            f'{source} is refused: {reason}. It is damaged, or names code '
            'that mmengine never writes; if you trust its author, set '
            'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1') from None


def load_local_checkpoint(filename: str, map_location: Any = None) -> dict:
    """Load a checkpoint file by torch's ``weights_only=True``.

    Beside what torch allows, the file may name what mmengine writes: arrays,
    the log history and ``ConfigDict``. With
    ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1`` torch loads files in full, which
    runs any code that they name.

    Args:
        filename (str): Path of a local file; ``~`` is expanded.
        map_location: As in :func:`torch.load`.

    Returns:
        dict: The checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        pickle.UnpicklingError: The file is refused, or damaged.
    """
    filename = osp.expanduser(filename)
    return _load(partial(torch.load, filename, map_location), filename)


def load_downloaded_checkpoint(url: str, *args: Any, **kwargs: Any) -> dict:
    """Download a checkpoint file, unless it is cached, and load it safely.

    Args:
        url (str): Address of the file.
        *args, **kwargs: As for :func:`torch.hub.load_state_dict_from_url`.

    Returns:
        dict: The checkpoint.

    Raises:
        pickle.UnpicklingError: The file is refused, or damaged.
    """
    return _load(
        partial(torch.hub.load_state_dict_from_url, url, *args, **kwargs), url)
