"""The ``multigrid`` key of a config: defaults and checks."""

from dataclasses import dataclass, fields
from math import sqrt
from numbers import Integral, Real
from typing import Any, Mapping, Optional, Sequence, Tuple, Union

from .checks import is_number

# Keys of MMAction2 0.x, and what to do with them.
OLD_KEYS = dict(default_s='leave it out: the base crop is read from the train pipeline')
AUTO, COST = 'auto', 'cost'
# How the lr follows the batch factor, as the exponent of it.
LR_EXPONENTS = dict(linear=1., sqrt=0.5, none=0.)
MAX_BN_CLIPS = 8  # the paper's, whose base batch has so many
# Keys whose None is their default, and stands for "see the base config" or for "none".
NULLABLE = ('stages', 'cycle_ends', 'grid_store', 'bn_base_size', 'max_batch_factor', 'lr_scaling',
            'crop_multiple')
STAGE_KEYS = ('epochs', 'batch_factor', 'num_frames', 'crop_size', 'lr_factor')


def _fail(key: str, value: Any, allowed: str, error: type = ValueError) -> None:
    raise error(f'multigrid.{key} = {value!r}: {allowed}')


def _check_bool(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        _fail(key, value, 'must be True or False', TypeError)
    return value


def _check_number(key: str, value: Any, low: float = 0., high: float = float('inf')) -> float:
    allowed = f'must be a number above {low:g}' + ('' if high == float('inf') else f' and at most {high:g}')
    if isinstance(value, bool) or not isinstance(value, Real):
        _fail(key, value, allowed, TypeError)
    if not is_number(value) or not low < value <= high:
        _fail(key, value, allowed)
    return float(value)


def _check_int(key: str, value: Any, low: int) -> int:
    allowed = f'must be an integer of at least {low}'
    if isinstance(value, bool) or not isinstance(value, Integral):
        _fail(key, value, allowed, TypeError)
    if value < low:
        _fail(key, value, allowed)
    return int(value)


def _check_sequence(key: str, value: Any, allowed: str) -> Sequence:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        _fail(key, value, allowed, TypeError)
    if not value:
        _fail(key, value, allowed)
    return value


def _check_long_factors(key: str, value: Any) -> tuple:
    allowed = 'must be a list of (frames, crop) pairs, each above 0 and at most 1'
    for pair in _check_sequence(key, value, allowed):
        if isinstance(pair, str) or not isinstance(pair, Sequence):
            _fail(key, value, allowed, TypeError)
        if len(pair) != 2:
            _fail(key, value, allowed)
    return tuple(tuple(_check_number(key, number, 0, 1) for number in pair) for pair in value)


def _check_short_factors(key: str, value: Any) -> tuple:
    sequence = _check_sequence(key, value, 'must be a list of numbers, each above 0 and at most 1')
    return tuple(_check_number(key, number, 0, 1) for number in sequence)


def _check_cycle_ends(key: str, value: Any) -> tuple:
    allowed = 'must be a rising list of shares of training, each above 0 and below 1'
    ends = tuple(_check_number(key, number, 0, 1) for number in _check_sequence(key, value, allowed))
    if any(b <= a for a, b in zip(ends, ends[1:])) or ends[-1] >= 1:
        _fail(key, value, allowed)
    return ends


def _check_choice(key: str, value: Any, choices: Sequence[str]) -> str:
    allowed = f'must be {", ".join(map(repr, choices[:-1]))} or {choices[-1]!r}'
    if not isinstance(value, str):
        _fail(key, value, allowed, TypeError)
    if value not in choices:
        _fail(key, value, allowed)
    return value


def _check_batch_cap(key: str, value: Any) -> Union[int, str]:
    allowed = "must be None, an integer of at least 1, or 'auto'"
    if value == AUTO and isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (Integral, str)):
        _fail(key, value, allowed, TypeError)
    if isinstance(value, str) or value < 1:
        _fail(key, value, allowed)
    return int(value)


def _check_batch_factors(key: str, value: Any) -> Union[str, tuple]:
    allowed = "must be 'cost' or a list of (frames, crop, batch factor)"
    if value == COST:
        return value
    entries = _check_sequence(key, value, allowed)
    if any(isinstance(entry, str) or not isinstance(entry, Sequence) or len(entry) != 3 for entry in entries):
        _fail(key, value, allowed)
    return tuple(tuple(_check_int(key, number, 1) for number in entry) for entry in entries)


def _check_folder(key: str, value: Any) -> str:
    if not isinstance(value, str):
        _fail(key, value, 'must be the path of a folder', TypeError)
    if not value:
        _fail(key, value, 'must be the path of a folder')
    return value


def _check_stages(key: str, value: Any) -> tuple:
    stages = _check_sequence(key, value, f'must be a list of dicts with the keys {", ".join(STAGE_KEYS)}')
    for i, stage in enumerate(stages):
        where = f'{key}[{i}]'
        if not isinstance(stage, Mapping):
            _fail(where, stage, f'must be a dict with the keys {", ".join(STAGE_KEYS)}', TypeError)
        unknown = set(stage) - set(STAGE_KEYS)
        if unknown:
            _fail(where, dict(stage), f'unknown key {sorted(map(str, unknown))[0]!r}; '
                  f'allowed are {", ".join(STAGE_KEYS)}')
        if 'epochs' not in stage:
            _fail(where, dict(stage), 'the key epochs is missing')
        for name, number in stage.items():
            if name == 'lr_factor':
                _check_number(f'{where}.{name}', number)
            else:
                _check_int(f'{where}.{name}', number, 1)
    return tuple(dict(stage) for stage in stages)


@dataclass(frozen=True)
class Settings:
    """The checked ``multigrid`` key. The defaults are the paper's.

    Attributes:
        long_cycle (bool): Coarse-to-fine shapes within each lr step.
        short_cycle (bool): A shape per iteration. Defaults to True; beside ``stages`` to False.
        epoch_factor (float): Epochs relative to the base config's.
        long_cycle_factors (tuple): (frames, crop) of each long-cycle shape relative to the base shape.
        short_cycle_factors (tuple): Crops of the extra short-cycle shapes.
        short_cycle_reference (str): ``'default'``: relative to the base crop; ``'stage'``: to the stage's.
        bn_base_size (int, optional): Clips over which batch-norm statistics are computed. Defaults to the base batch
            per GPU, and to 8 where that is larger.
        eval_freq (int): Validations and checkpoints per stage.
        precise_bn (int): Batches for precise BN statistics at the most; 0 turns it off.
        stages (tuple, optional): An explicit schedule instead of both cycles.
        cycle_ends (tuple, optional): Shares of training at which long cycles end, for lr schedules that
            have no decay points. Defaults to (1/3, 2/3, 5/6) for those.
        max_batch_factor (int or str, optional): Batches have at most so many times the clips of the base batch;
            ``'auto'``: so many that updates enough are left (:func:`.updates.auto_settings`, which may leave the short
            cycle out). None: as many as cost what the base batch costs.
        batch_factors (str or tuple): How many clips a batch has,
            relative to the base batch: ``'cost'``: as many as have the base
            batch's frames x pixels (the paper's); or a list of (frames, crop,
            batch factor), one for every shape of the schedule.
        lr_scaling (str, optional): How the lr follows the batch factor: ``'linear'``, ``'sqrt'`` or ``'none'``.
            Defaults to ``'sqrt'`` for Adam and its kin, to ``'linear'`` for all others.
        crop_multiple (int, optional): Crops of coarse shapes are multiples of so many pixels. Defaults to the patch of
            networks whose position embedding follows the grid, to 1 for all others.
        grid_store (str, optional): Folder of the videos' smaller copies.
        grid_store_full (bool): Whether full clips are read from there, too; from their originals by default.
    """
    long_cycle: bool = True
    short_cycle: bool = True
    epoch_factor: float = 1.5
    long_cycle_factors: Tuple[Tuple[float, float], ...] = ((1 / 4, sqrt(1 / 2)), (1 / 2, sqrt(1 / 2)), (1 / 2, 1.),
                                                           (1., 1.))
    short_cycle_factors: Tuple[float, ...] = (1 / 2, sqrt(1 / 2))
    short_cycle_reference: str = 'default'
    bn_base_size: Optional[int] = None
    eval_freq: int = 3
    precise_bn: int = 200
    stages: Optional[Tuple[dict, ...]] = None
    cycle_ends: Optional[Tuple[float, ...]] = None
    max_batch_factor: Union[int, str, None] = None
    batch_factors: Union[str, Tuple[Tuple[int, int, int], ...]] = COST
    lr_scaling: Optional[str] = None
    crop_multiple: Optional[int] = None
    grid_store: Optional[str] = None
    grid_store_full: bool = False

    @classmethod
    def from_dict(cls, values: Mapping) -> 'Settings':
        """Check the ``multigrid`` dict of a config.

        Raises:
            TypeError, ValueError: With the key, its value and what is allowed.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f'multigrid = {values!r}: must be a dict, as in multigrid = dict(short_cycle=False)')
        names = [field.name for field in fields(cls)]
        for key in values:
            if key in OLD_KEYS:
                raise ValueError(f'multigrid.{key} = {values[key]!r} is a key of MMAction2 0.x; {OLD_KEYS[key]}')
            if key not in names:
                raise ValueError(f'multigrid has no key {key!r} (value {values[key]!r}); allowed are '
                                 f'{", ".join(names)}')
        checked = {
            key: _CHECKS[key](key, value)
            for key, value in values.items() if not (value is None and key in NULLABLE)
        }
        if 'stages' in checked:
            checked.setdefault('short_cycle', False)
            for key in ('long_cycle_factors', 'epoch_factor', 'cycle_ends'):
                if key in checked and checked[key] != getattr(cls, key):
                    _fail(key, values[key], 'has no meaning beside multigrid.stages, which sets it; leave it out')
        if checked.get('grid_store_full') and 'grid_store' not in checked:
            _fail('grid_store_full', values['grid_store_full'], 'has no meaning without multigrid.grid_store')
        return cls(**checked)

    def bn_clips(self, batch_size: int) -> int:
        """Clips over which batch-norm statistics are computed, for a base batch per GPU (paper, section 3.4)."""
        return self.bn_base_size or min(MAX_BN_CLIPS, batch_size)

    @property
    def active(self) -> bool:
        """Whether there is anything to do."""
        return self.long_cycle or self.short_cycle or self.stages is not None


_CHECKS = dict(
    long_cycle=_check_bool,
    short_cycle=_check_bool,
    epoch_factor=_check_number,
    long_cycle_factors=_check_long_factors,
    short_cycle_factors=_check_short_factors,
    short_cycle_reference=lambda key, value: _check_choice(key, value, ('default', 'stage')),
    bn_base_size=lambda key, value: _check_int(key, value, 1),
    eval_freq=lambda key, value: _check_int(key, value, 1),
    precise_bn=lambda key, value: _check_int(key, value, 0),
    stages=_check_stages,
    cycle_ends=_check_cycle_ends,
    max_batch_factor=_check_batch_cap,
    batch_factors=_check_batch_factors,
    lr_scaling=lambda key, value: _check_choice(key, value, tuple(LR_EXPONENTS)),
    crop_multiple=lambda key, value: _check_int(key, value, 1),
    grid_store=_check_folder,
    grid_store_full=_check_bool,
)
