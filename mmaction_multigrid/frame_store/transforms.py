"""Transforms that read clips from a frame store.

They wrap the two transforms that open and decode the original, and call these
for everything that the store does not have.
"""

import warnings
from bisect import bisect_left
from typing import Dict, List, Mapping, Optional

import numpy as np
from mmcv.transforms import BaseTransform

from mmaction.registry import TRANSFORMS
from ..core.dataset import current_shape
from ..core.transform_rules import (find_rule, register_transform_rule,
                                    transform_name)
from .index import Index
from .sizes import read_short_edge, scale_short_edge
from .sources import Source, digest_of, rule_of, source_of, stored_reader

KEY = 'grid_copy'  # key of results that passes the copy to the decoder


@TRANSFORMS.register_module()
class GridStoreInit(BaseTransform):
    """Find the smallest copy that is large enough for the shape of a clip.

    The wrapped transform opens the original if no copy is large enough, if
    the store has no copy of this file, and for full clips without
    ``full_grid``. Outside of multigrid training all clips are full.
    ``multigrid.grid_store`` and :class:`.hook.FrameStoreHook` put this
    transform into pipelines.

    Required Keys: those of the wrapped transform; filename, or frame_dir and
    total_frames.

    Added Keys: total_frames, and avg_fps if the wrapped transform adds it; or
    those of the wrapped transform.

    Args:
        store (str): Folder of the frame store.
        short_edge (int): Short edge, in pixels, that the pipeline resizes
            the frames of a base clip to.
        original (dict, optional): Config of the transform that opens the
            original. Defaults to None, as pictures need none.
        full_grid (bool): Whether full clips are read from the store, too.
            Defaults to False.

    Raises:
        FileNotFoundError: There is no frame store.
        ValueError: The store cannot be read, or its copies are too small for
            full clips.
    """

    def __init__(self,
                 store: str,
                 short_edge: int,
                 original: Optional[dict] = None,
                 full_grid: bool = False) -> None:
        self.short_edge, self.full_grid = short_edge, full_grid
        self.index = Index(store)
        # dict(results) stands for a transform that changes nothing.
        self.original = TRANSFORMS.build(original) if original else dict
        self.reader = find_rule(original).opens if original else 'frames'
        # Rows by original. To hash each original at every clip would take as
        # long as to load a small clip.
        self._rows: Dict[Source, Optional[int]] = {}
        largest = self.index.short_edges[-1]
        if full_grid and largest < short_edge:
            raise ValueError(
                f'frame store {store!r}: its largest copies have a short edge '
                f'of {largest} pixels, and full clips need {short_edge}; '
                'build another one with `--sides '
                f'{" ".join(map(str, self.index.short_edges))} {short_edge}`')

    def transform(self, results: dict) -> dict:
        """Find the copy, or open the original."""
        grid = current_shape()
        is_full, needed = grid is None or grid.is_base, self.short_edge
        if not is_full:
            needed = scale_short_edge(needed, grid.crop_size, grid.base_crop)
        if (is_full and not self.full_grid
                or needed > self.index.short_edges[-1]
                or results.get('modality', 'RGB') != 'RGB'):  # flow
            return self.original(results)
        row = self.find(results)
        if row is None:
            # Python shows a warning of the same text once per process.
            warnings.warn(f'{self.index.store}: lacks videos, or they have '
                          'changed, and originals are read instead; run '
                          '`mmaction-multigrid store build` again')
            return self.original(results)
        results[KEY] = self, row, bisect_left(self.index.short_edges, needed)
        video = self.index.videos[row]
        # As the wrapped transform would, for SampleFrames.
        results['total_frames'] = int(video['frames'])
        if self.reader == 'decord':
            results['avg_fps'] = float(video['fps'])
        return results

    def find(self, info: Mapping) -> Optional[int]:
        """Find the row of a clip's original; None if it has no copy."""
        source = source_of(info, self.reader)
        if source not in self._rows:
            self._rows[source] = self.index.find(digest_of(source))
        return self._rows[source]

    @classmethod
    def insert(cls,
               dataset: Mapping,
               store: str,
               full: bool = False) -> List[dict]:
        """Put both transforms into the pipeline of a dataset's config.

        Args:
            dataset (Mapping): Config of a dataset.
            store (str): Folder of the frame store.
            full (bool): Whether full clips are read from the store, too.
                Defaults to False.

        Returns:
            list[dict]: The new pipeline.

        Raises:
            ValueError: A frame store does not support this pipeline.
        """
        steps = list(dataset['pipeline'])
        reader = stored_reader(dataset)
        rules = [rule_of(step) for step in steps]
        at = next(i for i, rule in enumerate(rules) if rule.decodes)
        init = dict(
            type=cls.__name__,
            store=store,
            short_edge=read_short_edge(steps),
            full_grid=full)
        decode = dict(type=GridStoreDecode.__name__, original=steps[at])
        if reader == 'frames':
            return [*steps[:at], init, decode, *steps[at + 1:]]
        opens = [rule.opens for rule in rules[:at]]
        if reader not in opens:
            raise ValueError('frame store: the pipeline has '
                             f'{transform_name(steps[at])}, and nothing '
                             'before it opens its videos')
        steps[at], i = decode, opens.index(reader)
        steps[i] = dict(init, original=steps[i])
        return steps


@TRANSFORMS.register_module()
class GridStoreDecode(BaseTransform):
    """Read the frames of a clip from the copy of :class:`GridStoreInit`.

    Without a copy, or if it is damaged, the wrapped transform reads the same
    frames from the original.

    Required Keys: frame_inds, and those of the wrapped transform.

    Added Keys: imgs, original_shape, img_shape.

    Modified Keys: gt_bboxes, proposals.

    Args:
        original (dict): Config of the transform that decodes the original.
    """

    def __init__(self, original: dict) -> None:
        self.original = TRANSFORMS.build(original)

    def transform(self, results: dict) -> dict:
        """Read frames from the copy or from the original."""
        if KEY not in results:
            return self.original(results)
        init, row, edge = results.pop(KEY)
        wanted = results['frame_inds'].reshape(-1)
        if init.reader == 'frames' or 'segment' in results:
            wanted = wanted - results['start_index']  # copies count from 0
        try:
            imgs = init.index.read(row, edge, wanted)
        except (OSError, ValueError, IndexError):
            warnings.warn(f'{init.index.store}: has missing or damaged copies,'
                          ' and originals are read instead; '
                          '`mmaction-multigrid store check` lists them')
            # The frame numbers that were drawn fit the original as well.
            return self.original(init.original(results))
        shape = imgs[0].shape[:2]
        results.update(imgs=imgs, original_shape=shape, img_shape=shape)
        # Boxes are shares of the frame, and become pixels as in stock.
        for key in ('gt_bboxes', 'proposals'):
            if results.get(key) is not None:
                results[key] = np.float32(results[key] *
                                          np.tile(shape[::-1], 2))
        return results


register_transform_rule('GridStoreInit', does_io=True)
register_transform_rule('GridStoreDecode', decodes='images')
