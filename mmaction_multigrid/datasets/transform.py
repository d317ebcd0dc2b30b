"""The transform that is another one, rebuilt for the shape of the clip."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from mmaction.datasets.transforms import Fuse
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..schedule import is_count
from .grid import Grid, current_grid
from .rules import find_rule, transform_name


@TRANSFORMS.register_module()
class FuseOnGrid(Fuse):
    """MMAction2's ``Fuse`` where there is lazy work to do: on a grid coarser than the base shape.

    Required Keys, Modified Keys: those of ``Fuse``.
    """

    def transform(self, results: dict) -> dict:
        """Crop, then resize."""
        return super().transform(results) if 'lazy' in results else results


@TRANSFORMS.register_module()
class MultigridTransform(BaseTransform):
    """Applies a stock transform on the grid of the clip that is being loaded.

    Per shape the wrapped transform is built once, with its pixels and frames scaled by the transform's rule.
    At the base shape, and outside of multigrid training, it is the wrapped transform, to the random number.

    Required Keys, Added Keys: those of the wrapped transform.

    Args:
        transform (dict): Config of the transform.
        lazy (bool): On a coarser grid, leave the work to a :class:`FuseOnGrid` further on. Defaults to False.

    Raises:
        ValueError: The transform has no rule, or cannot be lazy.
    """

    def __init__(self, transform: dict, lazy: bool = False) -> None:
        self.config = dict(transform)
        self.rule = find_rule(transform)
        if lazy and not self.rule.lazy:
            raise ValueError(f'lazy = True: {transform_name(transform)} cannot leave its work to Fuse')
        self.lazy = lazy
        self.base = TRANSFORMS.build(self.config)
        self._built: Dict[Grid, List[Any]] = {}

    def transform(self, results: dict) -> Optional[dict]:
        """Apply the wrapped transform, on the open grid."""
        grid = current_grid()
        if grid is None:
            return self.base(results)
        if grid not in self._built:
            lazy = dict(lazy=True) if self.lazy and not grid.is_base else {}
            self._built[grid] = [
                self.base if args == self.config else TRANSFORMS.build(args)
                for args in ({**variant, **lazy} for variant in self.rule.variants(self.config, grid))
            ]
        variants = self._built[grid]
        # A draw only where there is a choice, so that the base shape sees the random numbers of the stock pipeline.
        chosen = variants[np.random.randint(len(variants))] if len(variants) > 1 else variants[0]
        return chosen(results)

    @staticmethod
    def wrap(step: dict) -> dict:
        """Config of a pipeline step that works at every shape; ``step`` itself where its shape plays no role.

        Raises:
            ValueError: The transform has no rule.
        """
        if transform_name(step) == MultigridTransform.__name__ or not find_rule(step).depends_on_shape:
            return step
        return dict(type=MultigridTransform.__name__, transform=step)

    @classmethod
    def wrap_pipeline(cls, pipeline: Sequence[dict]) -> list:
        """Config of a pipeline that works at every shape.

        On a coarser grid, frames are cropped before they are resized, once, where the steps behind the decoder allow
        it: what is cropped away need not be resized first.

        Raises:
            ValueError: A transform has no rule.
        """
        # Behind it there are images, and no key points, which cannot be
        # cropped lazily.
        begin = next(
            (i for i, step in enumerate(pipeline) if find_rule(step).decodes),
            -2) + 1
        end = begin
        while 0 < end < len(pipeline) and find_rule(pipeline[end]).lazy and 'lazy' not in pipeline[end]:
            end += 1
        fused = pipeline[begin:end] if begin > 0 else []
        if len({transform_name(step) == 'Resize' for step in fused}) < 2:  # nothing to crop, or nothing to resize
            return [cls.wrap(step) for step in pipeline]
        return [
            *map(cls.wrap, pipeline[:begin]),
            *(dict(type=cls.__name__, transform=step, lazy=True) for step in fused),
            dict(type=FuseOnGrid.__name__),
            *map(cls.wrap, pipeline[end:])
        ]

    @staticmethod
    def base_shape(pipeline: Sequence[dict]) -> Tuple[int, int, Optional[int]]:
        """Frames, crop (pixels; the shorter side) and frame interval (None: none) of a pipeline's clips.

        Raises:
            ValueError: The pipeline samples no frames, or its clips have no fixed size.
        """
        frames, interval, crop = None, None, None
        for step in pipeline:
            rule, name = find_rule(step), transform_name(step)
            if rule.frames and frames is None:
                frames = step.get(rule.frames[0])
                if rule.frame_interval:
                    interval = step.get(rule.frame_interval, rule.default_interval)
            if rule.crops:
                crop = step.get(rule.pixels[-1])
            elif name == 'Resize':
                crop = None if step.get('keep_ratio', True) else step['scale']
            elif name in ('RandomRescale', 'RandomResizedCrop'):
                crop = None
        if frames is None:
            raise ValueError('the train pipeline samples no frames: multigrid needs one of SampleFrames, '
                             'DenseSampleFrames, UniformSample, or a transform whose registered rule names its frames')
        lengths = list(frames.values()) if isinstance(frames, dict) else [frames]  # of several modalities
        if not lengths or not all(map(is_count, lengths)):
            raise ValueError(f'the train pipeline samples {frames!r} frames: must be an integer of at least 1')
        if interval is not None and not is_count(interval):
            raise ValueError(f'the train pipeline samples frames at an interval of {interval!r}: must be an integer of '
                             'at least 1')
        crop = crop if isinstance(crop, (list, tuple)) else [crop]
        if not crop or not all(map(is_count, crop)):
            raise ValueError('the clips of the train pipeline have no fixed size: multigrid needs a crop, or a Resize '
                             f'with keep_ratio=False, at its end, of integers of at least 1, and found {crop!r}')
        return max(lengths), min(crop), interval

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.base!r})'
