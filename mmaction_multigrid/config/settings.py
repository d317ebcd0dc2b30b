"""The ``multigrid`` key of a config: all keys and their checks."""

from dataclasses import dataclass, fields
from math import inf, isfinite
from numbers import Integral, Real
from typing import Any, Callable, Mapping, Optional, Sequence, Tuple, Union

from ..core.batch_sampler import is_positive_int
from ..core.lr import LR_EXPONENTS
from ..core.settings import ScheduleSettings

STAGE_KEYS = ('epochs', 'batch_factor', 'num_frames', 'crop_size', 'lr_factor')
AUTO = 'auto'


def is_number(value: Any) -> bool:
    """Check for a finite real number that is no bool."""
    return (isinstance(value, Real) and not isinstance(value, bool)
            and isfinite(value))


def check_count(name: str, value: Any) -> None:
    """Check that a value is an integer of at least 1.

    Args:
        name (str): Name of the value, for the message.
        value: The value.

    Raises:
        ValueError: It is something else.
    """
    if not is_positive_int(value):
        raise ValueError(
            f'{name} = {value!r}: must be an integer of at least 1')


def section(config: Mapping,
            key: str,
            where: str = '',
            kind: type = dict) -> Union[Mapping, Sequence]:
    """Return a dict or list of a config, or an empty one if it is missing.

    Args:
        config (Mapping): A config or a part of one.
        key (str): Key of the dict or list.
        where (str): Prefix of the key in the message, such as
            ``'optim_wrapper.'``. Defaults to ``''``.
        kind (type): ``dict`` or ``list``. Defaults to ``dict``.

    Raises:
        TypeError: The value is something else.
    """
    # A config may set a key to None to undo what it inherits.
    value = config.get(key)
    allowed = Mapping if kind is dict else (list, tuple)
    if value is not None and not isinstance(value, allowed):
        raise TypeError(f'{where}{key} = {value!r}: must be a {kind.__name__}')
    return value or kind()


@dataclass(frozen=True)
class Settings(ScheduleSettings):
    """The checked ``multigrid`` key.

    Attributes:
        max_batch_factor (int or str, optional): The largest batch factor.
            ``'auto'`` sets no limit if base training has 7,000 iterations or
            more. Otherwise it sets 2 and, unless they are set,
            ``epoch_factor=1`` and ``finish=0.5``. Defaults to None, which
            means no limit.
        eval_freq (int): Validations and checkpoints per stage.
        precise_bn (int): The largest number of batches for precise BN; 0
            turns it off.
        finish (str or float): With ``'short_cycle'`` the short cycle goes on
            until the end of training, as in the paper. With ``'full'`` one
            stage of full clips alone, with as many iterations, replaces the
            last stages at the base shape; its lr falls linearly to 1 %, unless
            it is a curve. A number does the same with this share of all
            iterations.
        grid_store (str, optional): Folder of a frame store: smaller copies of
            the videos.
        grid_store_full (bool): Whether full clips are read from the frame
            store, too.
        allow_untested (bool): Whether to train networks with classes that no
            test of this package trains.
    """
    max_batch_factor: Union[int, str, None] = None
    eval_freq: int = 3
    precise_bn: int = 200
    finish: Union[str, float] = 'short_cycle'
    grid_store: Optional[str] = None
    grid_store_full: bool = False
    allow_untested: bool = False

    @classmethod
    def from_dict(cls, values: Mapping) -> 'Settings':
        """Check the ``multigrid`` dict of a config.

        Raises:
            TypeError, ValueError: A key or a value is not allowed. The
                message names the key, the value and what is allowed.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f'multigrid = {values!r}: must be a dict, as in '
                            'multigrid = dict(short_cycle=False)')
        names = [field.name for field in fields(cls)]
        for key, value in values.items():
            if key not in names:
                raise ValueError(f'multigrid has no key {key!r} (value '
                                 f'{value!r}); allowed are {", ".join(names)}')
        # None stands for a default of None, and is an error elsewhere.
        checked = {
            key: CHECKS[key](key, value)
            for key, value in values.items()
            if value is not None or getattr(cls, key) is not None
        }
        if 'stages' in checked:
            # Each stage would otherwise get a short cycle that the user did
            # not write.
            checked.setdefault('short_cycle', False)
            for key in ('long_cycle_factors', 'epoch_factor', 'cycle_ends',
                        'finish'):
                if checked.get(key, getattr(cls, key)) != getattr(cls, key):
                    _fail(
                        key, values[key], 'has no meaning beside '
                        'multigrid.stages, which sets it; leave it out')
        if checked.get('grid_store_full') and 'grid_store' not in checked:
            _fail('grid_store_full', True,
                  'has no meaning without multigrid.grid_store')
        return cls(**checked)

    @property
    def active(self) -> bool:
        """bool: Whether the config trains with multigrid at all."""
        return self.long_cycle or self.short_cycle or self.stages is not None


def _fail(key: str,
          value: Any,
          allowed: str,
          error: type = ValueError) -> None:
    raise error(f'multigrid.{key} = {value!r}: {allowed}')


@dataclass(frozen=True)
class Check:
    """Check of one value.

    Attributes:
        allowed (str): Description of what is allowed, for the message.
        kind (type): Type of the value. A bool does not count as a number.
        is_valid (callable): Function that returns whether a value of that
            type is allowed. A list is checked after its entries.
        entry (callable, optional): Check of each entry of a list.
        word (tuple[str]): Words that are allowed as well.
    """
    allowed: str
    kind: Union[type, Tuple[type, ...]]
    is_valid: Callable[[Any], bool] = lambda value: True
    entry: Optional[Callable[[str, Any], Any]] = None
    word: Tuple[str, ...] = ()

    def __call__(self, key: str, value: Any) -> Any:
        """Return the checked value, or raise an error that names the key."""
        if value in self.word:
            return value
        if (not isinstance(value, self.kind)
                or (isinstance(value, bool) and self.kind is not bool)):
            _fail(key, value, self.allowed, TypeError)
        checked = value if self.entry is None else tuple(
            self.entry(key, entry) for entry in value)
        if not self.is_valid(checked):
            _fail(key, value, self.allowed)
        # The text of a config cannot hold numbers of numpy.
        convert = {Real: float, Integral: int}.get(self.kind)
        return convert(checked) if convert else checked


def _list(allowed: str,
          entry: Callable[[str, Any], Any],
          is_valid: Callable[[tuple], bool] = bool) -> Check:
    return Check(allowed, (list, tuple), is_valid, entry)


def _integer(low: int) -> Check:
    return Check(f'must be an integer of at least {low}', Integral,
                 lambda value: value >= low)


def _choice(*names: str) -> Check:
    listed = ', '.join(map(repr, names[:-1]))
    return Check(f'must be {listed} or {names[-1]!r}', str, names.__contains__)


def _check_stage(key: str, stage: Any) -> dict:
    allowed = (f'must be a dict with the keys {", ".join(STAGE_KEYS)}, of '
               'which all but epochs may be missing')
    Check(allowed, Mapping)(key, stage)
    if 'epochs' not in stage or not set(stage) <= set(STAGE_KEYS):
        _fail(key, dict(stage), allowed)
    return {
        name: (_NUMBER if name == 'lr_factor' else _COUNT)(f'{key}.{name}',
                                                           number)
        for name, number in stage.items()
    }


_BOOL = Check('must be True or False', bool)
_COUNT = _integer(1)
_NUMBER = Check('must be a number above 0', Real,
                lambda value: 0 < value < inf)
_SHARE = Check('must be a number above 0 and at most 1', Real,
               lambda value: 0 < value <= 1)
_PAIRS = 'must be a list of (frames, crop) pairs, each above 0 and at most 1'
_TRIPLES = "must be 'cost' or a list of (frames, crop, batch factor)"

CHECKS = dict(
    long_cycle=_BOOL,
    short_cycle=_BOOL,
    epoch_factor=_NUMBER,
    long_cycle_factors=_list(
        _PAIRS, _list(_PAIRS, _SHARE, lambda pair: len(pair) == 2)),
    short_cycle_factors=_list(
        'must be a list of numbers, each above 0 and at most 1', _SHARE),
    short_cycle_reference=_choice('default', 'stage'),
    bn_base_size=_COUNT,
    stages=_list(
        f'must be a list of dicts with the keys {", ".join(STAGE_KEYS)}',
        _check_stage),
    cycle_ends=_list(
        'must be a rising list of shares of '
        'training, each above 0 and below 1', _SHARE,
        lambda ends: ends and all(a < b
                                  for a, b in zip(ends, [*ends[1:], 1]))),
    max_batch_factor=Check(
        "must be None, an integer of at least 1, or 'auto'",
        Integral,
        lambda value: value >= 1,
        word=(AUTO, )),
    batch_factors=Check(
        _TRIPLES, (list, tuple),
        bool,
        _list(_TRIPLES, _COUNT, lambda entry: len(entry) == 3),
        word=('cost', )),
    lr_scaling=_choice(*LR_EXPONENTS),
    crop_multiple=_COUNT,
    eval_freq=_COUNT,
    precise_bn=_integer(0),
    finish=Check(
        "must be 'short_cycle', 'full' or a number above 0 and below 1",
        Real,
        lambda value: 0 < value < 1,
        word=('short_cycle', 'full')),
    grid_store=Check('must be the path of a folder', str, bool),
    grid_store_full=_BOOL,
    allow_untested=_BOOL)
