"""Wrapper that rebuilds a transform for each clip shape."""

from typing import Any, Dict, List, Optional

import numpy as np
from mmcv.transforms import BaseTransform

from mmaction.datasets.transforms import Fuse
from mmaction.registry import TRANSFORMS
from .dataset import ClipShape, current_shape
from .transform_rules import find_rule


@TRANSFORMS.register_module()
class FuseOnGrid(Fuse):
    """Apply MMAction2's ``Fuse`` to clips with lazy transforms.

    Required Keys, Modified Keys: those of ``Fuse``.
    """

    def transform(self, results: dict) -> dict:
        """Crop, then resize."""
        # Clips of the base shape went through the stock transforms, and Fuse
        # fails without their lazy state.
        return super().transform(results) if 'lazy' in results else results


@TRANSFORMS.register_module()
class MultigridTransform(BaseTransform):
    """Apply a transform in the shape of the clip being loaded.

    The wrapped transform is built once per shape, with its pixels and frames
    scaled by its rule. At the base shape, and outside of multigrid training,
    it is the stock transform with the same random numbers.

    Required Keys, Added Keys: those of the wrapped transform.

    Args:
        transform (dict): Config of the transform.
        lazy (bool): Whether to leave the work to a :class:`FuseOnGrid` later
            in the pipeline, except at the base shape. Defaults to False.
        segments (bool): Whether the frames of a shape are the segments of a
            2D network. Defaults to False.

    Raises:
        ValueError: The transform has no rule.
    """

    def __init__(self,
                 transform: dict,
                 lazy: bool = False,
                 segments: bool = False) -> None:
        self.config = dict(transform)
        self.rule = find_rule(transform)
        self.lazy = lazy
        self.segments = segments
        self.base = TRANSFORMS.build(self.config)
        self._built: Dict[ClipShape, List[Any]] = {}

    def transform(self, results: dict) -> Optional[dict]:
        """Apply the wrapped transform."""
        shape = current_shape()
        # Outside of multigrid training, as in a test of this pipeline.
        if shape is None:
            return self.base(results)
        if shape not in self._built:
            fused = self.lazy and not shape.is_base
            config = dict(self.config, lazy=True) if fused else self.config
            # Some transforms have state, so that equal arguments share one.
            self._built[shape] = [
                self.base if args == self.config else TRANSFORMS.build(args)
                for args in self.rule.variants(config, shape, self.segments)
            ]
        variants = self._built[shape]
        # Without a choice nothing is drawn, as in the stock pipeline.
        i = np.random.randint(len(variants)) if len(variants) > 1 else 0
        return variants[i](results)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.base!r})'
