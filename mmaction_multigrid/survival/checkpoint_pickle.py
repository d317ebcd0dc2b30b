"""Unpickles checkpoints: tensors, numbers, and the few classes that mmengine writes; anything else is refused.

A pickle is a program: it names functions and calls them. Here the names are on a list, only the functions on it are
called, and nothing but the instances of a few classes is given a state. ``torch.load`` takes this module as its
``pickle_module``.
"""

import pickle
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict, defaultdict
from functools import lru_cache
from typing import Any, BinaryIO, Dict, FrozenSet, Optional

import numpy as np
import torch

_BUILTINS = ('set', 'frozenset', 'complex', 'slice', 'bytearray', 'range', 'bytes', 'list', 'dict', 'tuple', 'int',
             'float', 'bool', 'str')


class Refused(pickle.UnpicklingError):
    """A checkpoint holds what no checkpoint of mmengine does."""

    def __init__(self, what: Any) -> None:
        self.what = what if isinstance(what, str) else _full_name(what)
        super().__init__(f'{self.what}: is not read from a checkpoint')


def _full_name(value: Any) -> str:
    kind = value if hasattr(value, '__qualname__') else type(value)
    return f'{kind.__module__}.{kind.__qualname__}'


def _dtype(kind: str, align: bool = False, copy: bool = True) -> np.dtype:
    """``numpy.dtype`` of numbers and text: memory that is taken for Python objects can be made to run code."""
    dtype = np.dtype(kind) if isinstance(kind, str) and len(kind) < 20 else None
    if dtype is None or dtype.kind not in 'biufcSU':
        raise Refused(f'numpy.dtype({kind!r})')
    return dtype


def _getattr(owner: Any, name: str) -> Any:
    """``getattr`` for what mmengine pickles by it: the methods in a log history, and the curve of OneCycleLR."""
    if not isinstance(name, str) or f'{_full_name(owner)}.{name}' not in _methods():
        raise Refused(f'getattr({_full_name(owner)}, {name!r})')
    return _methods()[f'{_full_name(owner)}.{name}']


def _stand_in(kind: type) -> type:
    """A class of the same name and no more, for one that a checkpoint only hands on and must not come by."""
    return type(kind.__name__, (), dict(__module__=kind.__module__, __qualname__=kind.__qualname__))


_NDARRAY = _stand_in(np.ndarray)  # called, it takes the memory of a file for Python objects


def _reconstruct(kind: Any, shape: tuple, code: bytes) -> np.ndarray:
    """The empty array that a state is given to."""
    if kind is not _NDARRAY:
        raise Refused(kind)
    return np.ndarray((0, ), dtype='b')


def _rebuild_from_type(function: Any, kind: Any, args: tuple, state: Any) -> Any:
    """``_rebuild_from_type_v2``, of tensors with attributes: it calls a function that it is given."""
    if getattr(function, '__module__', None) != 'torch._utils' or function not in _callables().values():
        raise Refused(function)
    return torch._tensor._rebuild_from_type_v2(function, kind, args, state)


def _frombuffer(data: Any, dtype: np.dtype, shape: tuple, order: str) -> np.ndarray:
    """An array as protocol 5 writes it."""
    if not isinstance(dtype, np.dtype):  # one that was made by _dtype
        raise Refused(f'numpy.frombuffer(..., {dtype!r})')
    return np.frombuffer(data, dtype=dtype).reshape(shape, order=order)


def _encode(text: str, encoding: str) -> bytes:
    """``_codecs.encode`` as the older pickle protocols write bytes by it."""
    if encoding not in ('latin1', 'latin-1'):
        raise Refused(f'_codecs.encode(..., {encoding!r})')
    return text.encode('latin1')


@lru_cache(maxsize=None)
def _methods() -> Dict[str, Any]:
    from mmengine.logging import HistoryBuffer
    from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
    names = {HistoryBuffer: ('min', 'max', 'current', 'mean'), OneCycleParamScheduler: ('_annealing_cos',
                                                                                        '_annealing_linear')}
    return {f'{_full_name(owner)}.{name}': getattr(owner, name) for owner in names for name in names[owner]}


@lru_cache(maxsize=None)
def _callables() -> Dict[str, Any]:
    """What a checkpoint may call, by its name in the file: torch's own list of what weights are made of, and a few."""
    import builtins

    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer
    from torch._weights_only_unpickler import _get_allowed_globals
    found = dict(_get_allowed_globals())
    found.update({f'builtins.{name}': getattr(builtins, name) for name in _BUILTINS})
    found.update({_full_name(kind): kind for kind in (OrderedDict, Counter, defaultdict, HistoryBuffer, ConfigDict)})
    found.update({'builtins.getattr': _getattr, '_codecs.encode': _encode, 'numpy.dtype': _dtype,
                  'torch.device': torch.device, 'torch._tensor._rebuild_from_type_v2': _rebuild_from_type})
    multiarray = np.core.multiarray if np.__version__.startswith('1.') else np._core.multiarray
    for module in ('numpy.core', 'numpy._core'):  # files of numpy 1 and 2
        found.update({f'{module}.multiarray._reconstruct': _reconstruct,
                      f'{module}.multiarray.scalar': multiarray.scalar, f'{module}.numeric._frombuffer': _frombuffer})
    return found


@lru_cache(maxsize=None)
def _callable_ids() -> FrozenSet[int]:
    return frozenset(map(id, _callables().values()))


@lru_cache(maxsize=None)
def _names() -> Dict[str, Any]:
    """What a checkpoint may name: what it may call, and what is only handed on."""
    from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
    handed_on = (_NDARRAY, _stand_in(OneCycleParamScheduler))
    return {**_callables(), **_methods(), **{_full_name(kind): kind for kind in handed_on}}


class Unpickler(pickle._Unpickler):
    """The standard library's unpickler, in Python, which refuses what is not on the lists.

    Raises:
        Refused: By name, or by what it would do.
        pickle.UnpicklingError: The file is damaged.
    """
    dispatch = dict(pickle._Unpickler.dispatch)
    for _opcode in (pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.PERSID):
        del dispatch[_opcode[0]]  # ways to call and to name things that torch.save does not use

    def load(self) -> Any:
        """Read one object."""
        try:
            return super().load()
        except (KeyError, IndexError, ValueError) as error:  # as the C implementation has it
            raise pickle.UnpicklingError(f'damaged, or no pickle: {error!r}') from error

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for."""
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        if f'{module}.{name}' not in _names():
            raise Refused(f'{module}.{name}')
        return _names()[f'{module}.{name}']

    def _check(self, function: Any) -> None:
        if id(function) not in _callable_ids():
            raise Refused(function)

    def load_reduce(self) -> None:
        """Call a function."""
        self._check(self.stack[-2])
        super().load_reduce()

    def load_newobj(self) -> None:
        """Make an instance of a class."""
        self._check(self.stack[-2])
        super().load_newobj()

    def load_build(self) -> None:
        """Give an instance its state."""
        from mmengine.logging import HistoryBuffer
        instance, state = self.stack[-2:]
        if isinstance(instance, np.dtype):
            # Made by its name, in whole but for the order of its bytes; a state could say anything of its memory.
            order = '<' if sys.byteorder == 'little' else '>'
            if state[1] not in ('|', '=', order) or state[2:5] != (None, None, None):
                raise Refused(f'numpy.dtype.__setstate__({state!r})')
            self.stack.pop()
            return
        if type(instance) not in (HistoryBuffer, OrderedDict, np.ndarray, torch.Tensor, torch.nn.Parameter):
            raise Refused(f'state of {_full_name(instance)}')
        super().load_build()

    def load_binpersid(self) -> None:
        """Take the memory of a tensor."""
        key = self.stack[-1]
        if not (isinstance(key, tuple) and key and key[0] in ('storage', b'storage')):
            raise Refused(f'persistent id {key!r:.50}')
        super().load_binpersid()

    def load_append(self) -> None:
        """Add to a list."""
        _check_is(list, self.stack[-2])
        super().load_append()

    def load_appends(self) -> None:
        """Add several to a list."""
        _check_is(list, self.metastack[-1][-1])
        super().load_appends()

    def load_additems(self) -> None:
        """Add several to a set."""
        _check_is(set, self.metastack[-1][-1])
        super().load_additems()

    for _opcode, _load in ((pickle.REDUCE, load_reduce), (pickle.NEWOBJ, load_newobj), (pickle.BUILD, load_build),
                           (pickle.BINPERSID, load_binpersid), (pickle.APPEND, load_append),
                           (pickle.APPENDS, load_appends), (pickle.ADDITEMS, load_additems)):
        dispatch[_opcode[0]] = _load


def _check_is(kind: type, target: Any) -> None:
    """That something is a plain container: another may answer to ``append`` with a function out of the file."""
    if type(target) is not kind:
        raise Refused(f'{_full_name(target)} as a {kind.__name__}')


def load(file: BinaryIO, **options: Optional[str]) -> Any:
    """Read one object from a file; options as of :func:`pickle.load`."""
    return Unpickler(file, **options).load()
