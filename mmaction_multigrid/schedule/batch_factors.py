"""The file of measured times that ``multigrid.batch_factors`` may name."""

import json
from pathlib import Path
from typing import Iterable, Mapping, Tuple, Union

from .checks import is_count
from .shapes import Shape

KEYS = ('num_frames', 'crop_size', 'batch_factor')


def write_batch_factors(path: Union[str, Path], base: Shape, shapes: Iterable[Shape], seconds: Mapping[Shape, float],
                        device: str) -> None:
    """Write the batch factors that were found, and from what: a list of shapes in JSON.

    Args:
        path: File to write.
        base: The base shape.
        shapes: With the batch factors that take as long as the base batch.
        seconds: Of a step at each.
        device: What they were measured on.
    """
    rows = [dict(zip(KEYS, (*shape[1:], shape.batch_factor)), of_base=round(seconds[shape] / seconds[base], 3))
            for shape in shapes]
    text = ',\n  '.join(map(json.dumps, rows))
    head = json.dumps(dict(base=base[1:], device=device))[:-1]
    Path(path).write_text(f'{head}, "shapes": [\n  {text}\n]}}\n')


def read_batch_factors(path: str, base: Shape) -> Tuple[Tuple[int, int, int], ...]:
    """(frames, crop, batch factor) of a file that :func:`write_batch_factors` wrote.

    Raises:
        ValueError: It cannot be read, or is for another base shape.
    """
    where = f'multigrid.batch_factors = {path!r}'
    try:
        found = json.loads(Path(path).read_text())
        shapes = tuple(tuple(row[key] for key in KEYS) for row in found['shapes'])
        frames, crop = found['base']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{where}: must be 'cost' or a file that check --write-times wrote; "
                         f'{type(error).__name__}: {error}') from None
    if (frames, crop) != base[1:]:
        raise ValueError(f'{where}: measured with base clips of {frames} frames x {crop} pixels, and these have '
                         f'{base.num_frames} x {base.crop_size}; measure again')
    for row in shapes:
        if not all(map(is_count, row)):
            raise ValueError(f'{where}: {row!r} must be three integers of at least 1: {", ".join(KEYS)}')
    return shapes
