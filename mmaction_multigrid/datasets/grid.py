"""The grid that the clip being loaded is sampled on.

The shape travels with the index and is opened around ``dataset[index]``, so that it holds for everything that
the wrapped data set does there, another try after a broken video included, and no other code sees it.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Iterator, NamedTuple, Optional


class Grid(NamedTuple):
    """A grid shape beside the base config's.

    Attributes:
        num_frames (int): Frames of the clip.
        crop_size (int): Side of its crop in pixels.
        base_frames (int): Frames of the base config's clip.
        base_crop (int): Side of the base config's crop in pixels.
    """
    num_frames: int
    crop_size: int
    base_frames: int
    base_crop: int

    @property
    def is_base(self) -> bool:
        """Whether this is the base shape."""
        return (self.num_frames, self.crop_size) == (self.base_frames, self.base_crop)


_grid: ContextVar[Optional[Grid]] = ContextVar('multigrid_grid', default=None)


def current_grid() -> Optional[Grid]:
    """The open grid; None outside of :func:`open_grid`, which means the base shape."""
    return _grid.get()


@contextmanager
def open_grid(grid: Grid) -> Iterator[None]:
    """Load clips on ``grid`` inside the ``with`` block."""
    token = _grid.set(grid)
    try:
        yield
    finally:
        _grid.reset(token)
