"""The grid store: the videos of a data set once more, small, so that a coarse clip is cheap to read too.

``mmaction-multigrid store build`` writes it: ``STORE/SIDE/NAME.mp4`` for every short side, the frames of the original
one by one, and ``STORE/grid_store.json``, which says what is there.
"""

import json
import os.path as osp
from pathlib import Path
from typing import Any, Iterator, Sequence, Tuple

from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..datasets.copies import originals_only, took_copy
from ..datasets.grid import Grid, current_grid
from ..datasets.rules import OPENERS, transform_name
from ..schedule import is_count

MANIFEST = 'grid_store.json'

def copy_path(store: str, side: int, name: str) -> str:
    """Path of the copy, with a short side of ``side`` pixels, of the video ``name``."""
    return osp.join(store, str(side), name if name.endswith('.mp4') else f'{name}.mp4')


def side_on_grid(short_side: int, grid: Grid) -> int:
    """Short side, in pixels, that the pipeline resizes the frames of a clip on ``grid`` to."""
    return max(1, round(short_side * grid.crop_size / grid.base_crop))


def read_sides(store: str) -> Tuple[int, ...]:
    """Short sides of the copies in a grid store, in rising order.

    Raises:
        FileNotFoundError, ValueError: There is no grid store, or an unfinished one.
    """
    path = Path(store) / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f'multigrid.grid_store = {store!r}: has no {MANIFEST}; '
                                '`mmaction-multigrid store build` makes a grid store')
    manifest = json.loads(path.read_text())
    if not manifest.get('finished'):
        raise ValueError(f'multigrid.grid_store = {store!r}: is not finished; run `mmaction-multigrid store build` again')
    return tuple(sorted(manifest['sides']))


@TRANSFORMS.register_module()
class UseGridStore(BaseTransform):
    """Has the smallest copy opened that is large enough for the grid of the clip; ``multigrid.grid_store`` adds it.

    Where no copy is large enough, and outside of multigrid training, the original is opened.

    Required Keys, Modified Keys: filename.

    Args:
        store (str): Folder of the grid store.
        root (str): Folder of the videos, which their names in the store are relative to: ``data_prefix.video``.
        short_side (int): Short side, in pixels, that the pipeline resizes the frames of a base clip to.

    Raises:
        TypeError, ValueError: An argument is impossible.
        FileNotFoundError: There is no grid store; when a clip is loaded: the copy is missing.
    """

    def __init__(self, store: str, root: str, short_side: int) -> None:
        for key, value in (('store', store), ('root', root)):
            if not isinstance(value, str):
                raise TypeError(f'{key} = {value!r}: must be a path')
        if not is_count(short_side):
            raise ValueError(f'short_side = {short_side!r}: must be an integer of at least 1')
        self.store, self.root, self.short_side = store, root, short_side
        self.sides = read_sides(store)

    def transform(self, results: dict) -> dict:
        """Point to the copy."""
        grid = current_grid()
        if grid is None or originals_only():
            return results
        needed = side_on_grid(self.short_side, grid)
        side = next((side for side in self.sides if side >= needed), None)
        if side is None:
            return results
        copy = copy_path(self.store, side, osp.relpath(results['filename'], self.root or '.'))
        took_copy(copy)
        if not osp.isfile(copy):
            raise FileNotFoundError(f'{copy}: is not in the grid store')
        results['filename'] = copy
        return results

    def copies(self, name: str) -> Iterator[str]:
        """Where the copies of a video may be."""
        name = osp.relpath(name, self.root or '.')
        return (copy_path(self.store, side, name) for side in self.sides)

    @staticmethod
    def read_short_side(pipeline: Sequence[dict]) -> int:
        """Short side, in pixels, of the frames that a train pipeline crops from; the largest that it draws.

        Raises:
            ValueError: The pipeline opens no videos, or crops from frames of any size.
        """
        names = [transform_name(step) for step in pipeline]
        if not set(names) & set(OPENERS):
            raise ValueError(f'multigrid.grid_store: the train pipeline opens no videos; it has none of '
                             f'{", ".join(OPENERS)}')
        for step, name in zip(pipeline, names):
            scale = step.get(dict(Resize='scale', RandomRescale='scale_range').get(name, ''))
            if isinstance(scale, (list, tuple)) and len(scale) == 2:
                side = max(scale) if name == 'RandomRescale' or -1 in scale else min(scale)
                if is_count(side):
                    return side
            if 'Crop' in name:
                break
        raise ValueError('multigrid.grid_store: needs a train pipeline that resizes before it crops, by Resize or '
                         'RandomRescale: else nothing says how large a copy has to be')

    @classmethod
    def insert(cls, pipeline: Sequence[dict], store: str, data_prefix: Any) -> list:
        """The pipeline with this transform in front of the one that opens videos.

        Raises:
            ValueError: See :meth:`read_short_side`.
        """
        root = data_prefix.get('video', '') if isinstance(data_prefix, dict) else data_prefix or ''
        step = dict(type=cls.__name__, store=store, root=root, short_side=cls.read_short_side(pipeline))
        at = next(i for i, entry in enumerate(pipeline) if transform_name(entry) in OPENERS)
        return [*pipeline[:at], step, *pipeline[at:]]

    def __repr__(self) -> str:
        return f'{type(self).__name__}(store={self.store!r}, root={self.root!r}, short_side={self.short_side})'
