"""The data set wrapper that opens a clip's shape for the pipeline."""

from typing import Any, Tuple, Union

from mmaction.registry import DATASETS

from ..schedule import Shape
from .grid import Grid, open_grid


@DATASETS.register_module()
class MultigridDataset:
    """Loads ``(index, shape)`` items from any data set whose pipeline holds :class:`MultigridTransform`.

    A plain index loads the clip in the base shape. Everything else, ``metainfo`` and ``full_init`` among it,
    is the wrapped data set's.

    Args:
        dataset (dict or Dataset): The data set to wrap: repeat, concat and raw-frame data sets too.
        base_shape (tuple[int, int]): Frames and crop (pixels) of the base config.
    """

    def __init__(self, dataset: Union[dict, Any], base_shape: Tuple[int, int]) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        if len(base_shape) != 2 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in base_shape):
            raise ValueError(f'base_shape = {base_shape!r}: must be frames and crop of the base config, above 0')
        self.base_shape = tuple(base_shape)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: Union[int, Tuple[int, Shape]]) -> Any:
        if not isinstance(item, tuple):
            return self.dataset[item]
        index, shape = item
        with open_grid(Grid(shape.num_frames, shape.crop_size, *self.base_shape)):
            return self.dataset[index]

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'dataset':  # asked for by copy and pickle before __init__
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(base_shape={self.base_shape}, dataset={self.dataset!r})'
