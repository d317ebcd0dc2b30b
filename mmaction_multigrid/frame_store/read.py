"""The grid store in a train pipeline: clips on a coarse grid are made from small copies, frame by frame.

Two transforms take the place of those that open and decode. What they cannot read from the store, they leave to these.
"""

import os.path as osp
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..datasets.copies import copy_failed
from ..datasets.grid import Grid, current_grid
from ..datasets.rules import READERS, find_rule, transform_name
from ..schedule import is_count
from .avi import read_frames
from .index import open_index
from .names import copy_path
from .sizes import find_side, read_short_side, side_on_grid
from .sources import Source, digest_of, find_root, source_of, stored_reader

KEY = 'grid_copy'  # in results, between the two transforms
FULL_GRID = ('originals', 'store')


class OpenCopy(NamedTuple):
    """A copy that a clip is read from.

    Attributes:
        path (str): The file.
        frames (np.ndarray): Where its frames are.
        stride (int): Which of the original's frames it holds: every how many-th.
        total (int): Frames of the original.
        opener (BaseTransform, optional): What opens the original.
    """
    path: str
    frames: np.ndarray
    stride: int
    total: int
    opener: Optional[BaseTransform]

    def nearest(self, wanted: np.ndarray) -> List[int]:
        """Numbers, in the copy, of the frames nearest to those that are wanted of the original.

        Raises:
            IndexError: The original has no such frame.
        """
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < self.total:
            raise IndexError(f'frames {wanted.min()} to {wanted.max()} are wanted of {self.total}')
        return np.minimum((wanted + self.stride // 2) // self.stride, len(self.frames) - 2).tolist()


@TRANSFORMS.register_module()
class GridStoreInit(BaseTransform):
    """Has a clip read from the smallest copy that is large enough for its grid; ``multigrid.grid_store`` puts it there.

    The original is opened, by the wrapped transform, where no copy is large enough, where one is missing or does not
    belong to the original, for full clips unless told otherwise, and outside of multigrid training.

    Required Keys: those of the wrapped transform; filename, or frame_dir and total_frames.

    Added Keys: total_frames, and avg_fps where the wrapped transform adds it; or those of the wrapped transform.

    Args:
        store (str): Folder of the grid store.
        root (str): Folder of the clips, which their names in the store are relative to.
        short_side (int, optional): Short side, in pixels, that the pipeline resizes the frames of a base clip to. None:
            it crops a share of the frames, and a copy as small as the grid is coarse is enough.
        original (dict, optional): Config of the transform that opens the original. None: pictures need none.
        full_grid (str): What full clips are read from: ``'originals'`` or the ``'store'``. Defaults to ``'originals'``.

    Raises:
        TypeError, ValueError: An argument is impossible, or the store is none that can be read.
        FileNotFoundError: There is no grid store.
    """

    def __init__(self, store: str, root: str, short_side: Optional[int] = None, original: Optional[dict] = None,
                 full_grid: str = 'originals') -> None:
        for key, value in (('store', store), ('root', root)):
            if not isinstance(value, str):
                raise TypeError(f'{key} = {value!r}: must be a path')
        if short_side is not None and not is_count(short_side):
            raise ValueError(f'short_side = {short_side!r}: must be an integer of at least 1')
        if full_grid not in FULL_GRID:
            raise ValueError(f'full_grid = {full_grid!r}: must be one of {", ".join(FULL_GRID)}')
        self.store, self.root, self.short_side, self.full_grid = store, root, short_side, full_grid
        self.index = open_index(store, 'multigrid.grid_store')
        self.original = TRANSFORMS.build(original) if original else None
        self.reader = find_rule(original).opens if original else 'frames'
        needed = short_side or int(np.minimum(self.index.videos['width'], self.index.videos['height']).min())
        if full_grid == 'store' and self.index.sides[-1] < needed:
            raise ValueError(f'multigrid.grid_store_full = True: the largest copies in {store!r} have a short side of '
                             f'{self.index.sides[-1]} pixels, and full clips need {needed}; '
                             '`mmaction-multigrid store build --full` makes them')
        # Of the originals that this process has looked at.
        self._rows: Dict[Tuple[str, int], int] = {}

    def transform(self, results: dict) -> dict:
        """Find the copy, or open the original."""
        grid = current_grid()
        usable = grid is not None and (not grid.is_base or self.full_grid == 'store')
        if not usable or results.get('modality', 'RGB') != 'RGB' or 'gt_bboxes' in results:
            return self._open_original(results)
        path = self.store
        try:
            source = source_of(results, self.root, self.reader)
            path = source.name
            row = self._find_row(source)
            video = self.index.videos[row]
            side = self._find_side(grid, min(int(video['width']), int(video['height'])))
            if side is None:
                return self._open_original(results)
            path = copy_path(self.store, self.index.sides[side],
                             self.index.key(row))
        except (OSError, ValueError) as error:
            copy_failed(path, error)
            return self._open_original(results)
        results[KEY] = OpenCopy(path, self.index.copy(row, side).frames, self.index.manifest['frame_stride'],
                                int(video['frames']), self.original)
        if self.original is not None:
            results['total_frames'] = int(video['frames'])
        if self.reader == 'decord':
            results['avg_fps'] = float(video['fps'])
        return results

    def holds(self, info: Mapping) -> bool:
        """Whether there is a copy of a clip."""
        rows = self.index.find(source_of(info, self.root, self.reader).name)
        return any(
            osp.isfile(copy_path(self.store, side, self.index.key(row)))
            for row in rows for side in self.index.sides)

    def _find_side(self, grid: Grid, original: int) -> Optional[int]:
        return find_side(self.index.sides, side_on_grid(self.short_side or original, grid))

    def _open_original(self, results: dict) -> dict:
        return self.original(results) if self.original is not None else results

    def _find_row(self, source: Source) -> int:
        """Row of a clip's copies; once for each original.

        Raises:
            FileNotFoundError: The store has none of this file.
        """
        known = source.path, source.frames
        if known not in self._rows:
            rows = self.index.find(source.name)
            readers = {READERS[self.index.videos['reader'][row]] for row in rows}
            try:
                row = self.index.match(source.name, digest_of(source))
            except OSError:  # it is not here, and its name has to do
                unique = len(rows) == 1 and readers == {source.reader}
                row = rows[0] if unique else None
            if row is None:
                others = (f', which has {len(rows)} other files of its name, '
                          f'read by {", ".join(readers)}') if rows else ''
                raise FileNotFoundError(
                    f'{source.path}: is not in the grid store{others}')
            self._rows[known] = row
        return self._rows[known]

    @classmethod
    def insert(cls, dataset: Mapping, store: str, full: bool = False) -> List[dict]:
        """The pipeline of a data set's config with both transforms around those that open and decode.

        Args:
            dataset: Config of a data set.
            store: Folder of the grid store.
            full: Full clips are read from the store, too.

        Raises:
            ValueError: The pipeline decodes nothing that a store can hold, or see :func:`.sizes.read_short_side`.
        """
        pipeline = dataset['pipeline']
        steps = list(pipeline)
        rules = [find_rule(step) for step in steps]
        reader = stored_reader(steps)
        if transform_name(dataset) == 'RepeatAugDataset':
            raise ValueError('multigrid.grid_store: RepeatAugDataset opens and decodes videos by itself')
        at = next(i for i, rule in enumerate(rules) if rule.decodes)
        init = dict(type=cls.__name__, store=store, root=find_root(dataset), short_side=read_short_side(steps),
                    full_grid=FULL_GRID[bool(full)])
        steps[at] = dict(type=GridStoreDecode.__name__, original=steps[at])
        if reader == 'frames':
            return [*steps[:at], init, *steps[at:]]
        opens = next(
            (i for i, rule in enumerate(rules[:at]) if rule.opens == reader),
            None)
        if opens is None:
            raise ValueError(
                'multigrid.grid_store: the train pipeline has '
                f'{transform_name(pipeline[at])}, and nothing before it '
                'opens its videos')
        steps[opens] = dict(init, original=steps[opens])
        return steps

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(store={self.store!r}, root={self.root!r}, short_side={self.short_side}, '
                f'original={self.original!r}, full_grid={self.full_grid!r})')


@TRANSFORMS.register_module()
class GridStoreDecode(BaseTransform):
    """Reads a clip's frames from the copy that :class:`GridStoreInit` found.

    Where none was, or it cannot be read, the wrapped transform reads the same frames of the original.

    Required Keys: frame_inds, and those of the wrapped transform. Added Keys: imgs, original_shape, img_shape.

    Args:
        original (dict): Config of the transform that decodes the original.
    """

    def __init__(self, original: dict) -> None:
        self.original = TRANSFORMS.build(original)
        self.by_start = find_rule(original).decodes == 'frames'

    def transform(self, results: dict) -> dict:
        """Decode."""
        copy = results.pop(KEY, None)
        if copy is None:
            return self.original(results)
        try:
            wanted = results['frame_inds'].reshape(-1) - (results['start_index'] if self.by_start else 0)
            imgs = read_frames(copy.path, copy.frames, copy.nearest(wanted))
        except (OSError, ValueError, IndexError) as error:
            copy_failed(copy.path, error)
            return self.original(results if copy.opener is None else copy.opener(results))
        results.update(imgs=imgs, original_shape=imgs[0].shape[:2], img_shape=imgs[0].shape[:2])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(original={self.original!r})'
