"""The sizes of copies."""

import random
from contextlib import suppress
from typing import Any, Optional, Sequence, Set, Tuple

from mmengine.config import Config

from ..config import multigrid_schedule
from ..config.base import with_pipelines
from ..core.transform_rules import transform_name
from .avi import pyav
from .sources import Source, open_frames

SAMPLE = 16  # originals that tell the size of all


def scale_side(short_side: int, crop_size: int, base_crop: int) -> int:
    """Scale the short side of a base clip's frames to another crop."""
    return max(1, round(short_side * crop_size / base_crop))


def read_short_side(pipeline: Sequence[Any]) -> Optional[int]:
    """Find the short side of the frames that a train pipeline crops from.

    Returns:
        int, optional: In pixels; the largest if it is drawn. None: the crop
        is a share of the original's frames, whatever their size.

    Raises:
        ValueError: Pixels are cropped from frames of any size.
    """
    for step in pipeline:
        name = transform_name(step)
        scale = step.get('scale')
        if name == 'RandomRescale':
            return max(step['scale_range'])
        if name == 'Resize' and isinstance(scale, (list, tuple)):
            return max(scale) if -1 in scale else min(scale)
        if name == 'RandomResizedCrop':
            return None
        if 'Crop' in name:
            break
    raise ValueError('multigrid.grid_store: needs a train pipeline that '
                     'resizes before it crops, by Resize or '
                     'RandomRescale, or has a RandomResizedCrop: else '
                     'nothing says how large a copy has to be')


def largest_side(sources: Sequence[Source]) -> int:
    """Find the largest short side, in pixels, of some originals.

    Raises:
        ImportError: PyAV is not installed.
        ValueError: None can be opened.
    """
    pyav()  # without it every original would look broken
    found = []
    for source in random.Random(0).sample(
            list(sources), min(SAMPLE, len(sources))):
        with suppress(Exception):  # of any type if the file is broken
            found.append(min(next(open_frames(source)[2]).shape[:2]))
    if not found:
        raise ValueError('none of the videos can be opened: is --root the '
                         'folder that the list is for?')
    return max(found)


def sides_of(cfg: Config,
             sources: Sequence[Source],
             full: bool = False) -> Tuple[int, ...]:
    """Compute the short sides, in pixels, of the copies for a config.

    Args:
        cfg (Config): A multigrid config.
        sources (Sequence[Source]): Originals, some of which are opened if
            the pipeline crops a share of their frames.
        full (bool): Whether full clips are read from the store, too.

    Raises:
        ImportError, ValueError: See :func:`largest_side`; or no crop is
            smaller than the base crop.
    """
    schedule, _ = multigrid_schedule(cfg)
    base = schedule.base.crop_size
    crops = {
        base, *(shape.crop_size for stage in schedule.stages
                for shape in stage.shapes)
    }
    sides: Set[int] = set()
    for dataset in with_pipelines(cfg.train_dataloader.dataset):
        side = read_short_side(dataset['pipeline']) or largest_side(sources)
        sides.update(
            scale_side(side, crop, base) for crop in crops
            if full or crop < base)
    if not sides:
        raise ValueError('no shape of the schedule has a smaller crop than '
                         'the base shape: --full would store that size')
    return tuple(sorted(sides))
