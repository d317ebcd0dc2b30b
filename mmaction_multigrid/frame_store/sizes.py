"""How large copies have to be."""

from typing import Any, List, Optional, Sequence, Set, Tuple

from mmengine.config import Config

from ..config import multigrid_schedule
from ..config.base import pipelines
from ..datasets import Grid
from ..datasets.rules import transform_name
from ..schedule import is_count

MIN_SIDE = 16  # pixels


def side_on_grid(short_side: int, grid: Grid) -> int:
    """Short side, in pixels, that the pipeline resizes the frames of a clip on ``grid`` to."""
    return max(1, round(short_side * grid.crop_size / grid.base_crop))


def read_short_side(pipeline: Sequence[Any]) -> Optional[int]:
    """Short side, in pixels, of the frames that a train pipeline crops from; the largest that it draws.

    Returns:
        int, optional: None: the crop is a share of the original's frames, whatever their size.

    Raises:
        ValueError: It crops pixels from frames of any size.
    """
    for step in pipeline:
        name = transform_name(step)
        scale = step.get(dict(Resize='scale', RandomRescale='scale_range').get(name, ''))
        if isinstance(scale, (list, tuple)) and len(scale) == 2:
            side = max(scale) if name == 'RandomRescale' or -1 in scale else min(scale)
            if is_count(side):
                return side
        if name == 'RandomResizedCrop':
            return None
        if 'Crop' in name:
            break
    raise ValueError('multigrid.grid_store: needs a train pipeline that resizes before it crops, by Resize or '
                     'RandomRescale, or has a RandomResizedCrop: else nothing says how large a copy has to be')


def sides_of(cfg: Config, frame_side: Optional[int] = None, full: bool = False) -> Tuple[int, ...]:
    """Short sides, in pixels, of the copies that the shapes of a multigrid config need.

    Args:
        cfg: A multigrid config.
        frame_side: Short side of the originals, which a pipeline asks for that crops a share of their frames.
        full: The base shape's side, too.

    Raises:
        ValueError: There are none below the base shape's, or ``frame_side`` is wanted and not given.
    """
    schedule, _ = multigrid_schedule(cfg)
    base = schedule.base
    crops = {base.crop_size, *(shape.crop_size for stage in schedule.stages for shape in stage.shapes)}
    sides: Set[int] = set()
    for pipeline in pipelines(cfg.train_dataloader.dataset):
        side = read_short_side(pipeline) or frame_side
        if side is None:
            raise ValueError('the train pipeline crops a share of the frames: give --sides, or the videos')
        sides.update(side_on_grid(side, Grid(base.num_frames, crop, base.num_frames, base.crop_size))
                     for crop in crops if full or crop < base.crop_size)
    if not sides:
        raise ValueError('no shape of the schedule has a smaller crop than the base shape: --full would store that size')
    return tuple(sorted(sides))


def find_side(sides: Sequence[int], needed: int) -> Optional[int]:
    """Position of the smallest of ``sides`` that is large enough; None: none is."""
    return next((i for i, side in enumerate(sides) if side >= needed), None)


def check_sides(sides: Sequence[int]) -> Tuple[int, ...]:
    """Short sides in rising order.

    Raises:
        ValueError: One is too small.
    """
    found: List[int] = sorted(set(sides))
    if not found or found[0] < MIN_SIDE:
        raise ValueError(f'sides = {list(sides)}: must be short sides of at least {MIN_SIDE} pixels')
    return tuple(found)
