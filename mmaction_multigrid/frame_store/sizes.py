"""Sizes of the copies in a frame store."""

from itertools import chain
from typing import Any, Sequence, Set

from mmengine.config import Config

from ..config import multigrid_schedule
from ..config.base import with_pipelines
from ..core.transform_rules import transform_name
from .sources import SPLITS, dataset_of


def scale_short_edge(short_edge: int, crop_size: int, base_crop: int) -> int:
    """Scale the short edge of the frames of a base clip to another crop."""
    # As scale_pixels does it for Resize, which then finds frames of its size.
    return max(1, round(short_edge * crop_size / base_crop))


def read_short_edge(pipeline: Sequence[Any]) -> int:
    """Return the short edge of the frames that a train pipeline crops.

    Returns:
        int: Short edge in pixels. If it is drawn at random, the largest one.

    Raises:
        ValueError: The pipeline crops before it resizes.
    """
    for step in pipeline:
        name, scale = transform_name(step), step.get('scale')
        if name == 'RandomRescale':
            return max(step['scale_range'])
        if name == 'Resize' and isinstance(scale, (list, tuple)):
            # (-1, 256) sets the short edge. Of two positive numbers the
            # smaller one limits it.
            return max(scale) if -1 in scale else min(scale)
        if 'Crop' in name:
            break
    raise ValueError('frame store: needs a pipeline that resizes to pixels '
                     'before it crops; put '
                     "dict(type='Resize', scale=(-1, 256)) before the crop")


def short_edges_of(cfg: Config,
                   full: bool = False,
                   splits: Sequence[str] = SPLITS[:1]) -> Set[int]:
    """Compute the short edges, in pixels, of the copies for a config.

    Args:
        cfg (Config): The config. Without ``multigrid`` all clips are full.
        full (bool): Whether full train clips are read from the store, too.
            Defaults to False.
        splits (Sequence[str]): Splits that are read from the store. Defaults
            to ``('train', )``.

    Raises:
        ValueError: See :func:`read_short_edge`.
    """
    found = {
        split: {
            read_short_edge(dataset['pipeline'])
            for dataset in with_pipelines(dataset_of(cfg, split))
        }
        for split in splits
    }
    train = found.pop('train', set()) if 'multigrid' in cfg else set()
    # One size does for all full clips, so that no video is stored twice.
    edges = {max(chain.from_iterable(found.values()))} if found else set()
    if train:
        schedule, _ = multigrid_schedule(cfg)
        base = schedule.base.crop_size
        crops = {
            shape.crop_size
            for stage in schedule.stages for shape in stage.shapes
        }
        edges |= {
            scale_short_edge(short_edge, crop, base)
            for short_edge in train for crop in crops | {base}
            if full or crop < base
        }
    return edges
