"""The transforms that read clips from a grid store.

They wrap the two transforms that open and decode the original, which they call
for everything that the store does not have.
"""

from bisect import bisect_left
from typing import Dict, List, Mapping, Optional, Tuple

import numpy as np
from mmcv.transforms import BaseTransform

from mmaction.registry import TRANSFORMS
from ..core.dataset import current_shape
from ..core.transform_rules import (READERS, find_rule,
                                    register_transform_rule, transform_name)
from ..loading.broken import copy_failed
from .index import Index
from .sizes import read_short_side, scale_side
from .sources import Source, digest_of, find_root, source_of, stored_reader

KEY = 'grid_copy'  # in results, from the first to the second transform
FULL_GRID = ('originals', 'store')


@TRANSFORMS.register_module()
class GridStoreInit(BaseTransform):
    """Find the smallest copy that is large enough for the shape of a clip.

    The wrapped transform opens the original if no copy is large enough, if
    the store has no copy of this file, for full clips unless told otherwise,
    and outside of multigrid training. ``multigrid.grid_store`` puts this
    transform into the train pipeline.

    Required Keys: those of the wrapped transform; filename, or frame_dir and
    total_frames.

    Added Keys: total_frames, and avg_fps if the wrapped transform adds it; or
    those of the wrapped transform.

    Args:
        store (str): Folder of the grid store.
        root (str): Folder of the clips; their names in the store are paths
            below it.
        short_side (int, optional): Short side, in pixels, that the pipeline
            resizes the frames of a base clip to. None: it crops a share of
            the frames, and the copy is scaled as the crop is.
        original (dict, optional): Config of the transform that opens the
            original. None: pictures need none.
        full_grid (str): Where full clips are read from: ``'originals'`` or
            ``'store'``. Defaults to ``'originals'``.

    Raises:
        FileNotFoundError: There is no grid store.
        ValueError: The store cannot be read, or its copies are too small for
            full clips; or ``full_grid`` is neither.
    """

    def __init__(self,
                 store: str,
                 root: str,
                 short_side: Optional[int] = None,
                 original: Optional[dict] = None,
                 full_grid: str = 'originals') -> None:
        if full_grid not in FULL_GRID:
            raise ValueError(f'full_grid = {full_grid!r}: must be '
                             f'one of {", ".join(FULL_GRID)}')
        self.root, self.short_side = root, short_side
        self.full_grid = full_grid
        self.index = Index(store, 'multigrid.grid_store')
        self.original = TRANSFORMS.build(original) if original else dict
        self.reader = find_rule(original).opens if original else 'frames'
        # Rows of the originals that this process has compared.
        self._rows: Dict[Tuple[str, int], Optional[int]] = {}
        if full_grid == 'store' and self.index.sides[-1] < (short_side or 0):
            raise ValueError(
                'multigrid.grid_store_full = True: the largest copies in '
                f'{store!r} have a short side of {self.index.sides[-1]} '
                f'pixels, and full clips need {short_side}; '
                '`mmaction-multigrid store build --full` makes them')

    def transform(self, results: dict) -> dict:
        """Find the copy, or open the original."""
        grid = current_shape()
        if (grid is None or grid.is_base and self.full_grid != 'store'
                or results.get('modality', 'RGB') != 'RGB'
                or 'gt_bboxes' in results):
            return self.original(results)
        source = source_of(results, self.root, self.reader)
        known = source.name, source.frames
        if known not in self._rows:
            self._rows[known] = self._find_row(source)
        row = self._rows[known]
        if row is None:
            copy_failed(
                source.name,
                FileNotFoundError(
                    f'{source.path}: is not in the grid store, or has changed')
            )
            return self.original(results)
        video = self.index.videos[row]
        short_side = self.short_side or min(video['width'], video['height'])
        needed = scale_side(short_side, grid.crop_size, grid.base_crop)
        if needed > self.index.sides[-1]:
            return self.original(results)
        results[KEY] = self, row, bisect_left(self.index.sides, needed)
        results['total_frames'] = int(video['frames'])
        if self.reader == 'decord':
            results['avg_fps'] = float(video['fps'])
        return results

    def holds(self, info: Mapping) -> bool:
        """Return whether there are copies of a clip of this name."""
        source = source_of(info, self.root, self.reader)
        return len(self.index.find(source.name)) > 0

    def _find_row(self, source: Source) -> Optional[int]:
        videos, rows = self.index.videos, self.index.find(source.name)
        digest = digest_of(source)
        if not digest:  # the original is not here, and its name has to do
            readers = [READERS[videos['reader'][row]] for row in rows]
            return rows[0] if readers == [source.reader] else None
        # The file may have had another name when it was copied.
        rows = [*rows, *np.flatnonzero(videos['digest'] == digest)]
        return next((row for row in rows if videos['digest'][row] == digest),
                    None)

    @classmethod
    def insert(cls,
               dataset: Mapping,
               store: str,
               full: bool = False) -> List[dict]:
        """Put both transforms into the pipeline of a dataset's config.

        Args:
            dataset (Mapping): Config of a dataset.
            store (str): Folder of the grid store.
            full (bool): Whether full clips are read from the store, too.

        Returns:
            list[dict]: The new pipeline.

        Raises:
            ValueError: A store has no copies for this pipeline.
        """
        steps = list(dataset['pipeline'])
        reader = stored_reader(steps)
        if transform_name(dataset) == 'RepeatAugDataset':
            raise ValueError('multigrid.grid_store: RepeatAugDataset opens '
                             'and decodes videos by itself')
        rules = [find_rule(step) for step in steps]
        at = next(i for i, rule in enumerate(rules) if rule.decodes)
        init = dict(
            type=cls.__name__,
            store=store,
            root=find_root(dataset),
            short_side=read_short_side(steps),
            full_grid=FULL_GRID[bool(full)])
        decode = dict(type=GridStoreDecode.__name__, original=steps[at])
        if reader == 'frames':
            return [*steps[:at], init, decode, *steps[at + 1:]]
        opens = [rule.opens for rule in rules[:at]]
        if reader not in opens:
            raise ValueError('multigrid.grid_store: the train pipeline '
                             f'has {transform_name(steps[at])}, and '
                             'nothing before it opens its videos')
        steps[at], i = decode, opens.index(reader)
        steps[i] = dict(init, original=steps[i])
        return steps


@TRANSFORMS.register_module()
class GridStoreDecode(BaseTransform):
    """Read a clip's frames from the copy that :class:`GridStoreInit` found.

    If there is none or it cannot be read, the wrapped transform reads the
    same frames of the original.

    Required Keys: frame_inds, and those of the wrapped transform.

    Added Keys: imgs, original_shape, img_shape.

    Args:
        original (dict): Config of the transform that decodes the original.
    """

    def __init__(self, original: dict) -> None:
        self.original = TRANSFORMS.build(original)

    def transform(self, results: dict) -> dict:
        """Decode."""
        if KEY not in results:
            return self.original(results)
        init, row, side = results.pop(KEY)
        wanted = results['frame_inds'].reshape(-1)
        if init.reader == 'frames':
            wanted = wanted - results['start_index']
        try:
            imgs = init.index.read(row, side, wanted)
        except (OSError, ValueError, IndexError) as error:
            copy_failed(init.index.path(row, side), error)
            return self.original(init.original(results))
        shape = imgs[0].shape[:2]
        results.update(imgs=imgs, original_shape=shape, img_shape=shape)
        return results


register_transform_rule('GridStoreInit', does_io=True)
register_transform_rule('GridStoreDecode', decodes='images')
