"""Relative positions of VideoSwin in windows smaller than its tables."""

from functools import lru_cache
from typing import Any, List

from torch import Tensor, nn


class WindowBiasMixin:
    """Mixin of window attention that uses the biases of the right offsets.

    Stock code takes the first rows and columns of the full window's index.
    These are right if the window is only shorter in time. If it is smaller in
    space, most of them belong to other offsets.

    Attributes:
        window (tuple[int]): (frames, height, width) of the windows of the
            last batch.
    """

    @property
    def relative_position_index(self) -> Tensor:
        """Tensor: Row of the bias table for every pair of positions."""
        # Stock code reads this attribute in each forward pass, and a property
        # has priority over the buffer of that name.
        index = self._buffers['relative_position_index'].view(
            *self.window_size, *self.window_size)
        # Positions outside of the window are cut from both sides of each pair.
        inside = tuple(map(slice, self.window))
        return index[inside + inside].flatten(3).flatten(0, 2)


class WindowSizeMixin:
    """Mixin of VideoSwin's block that sets the window of its attention."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Forward maps of shape (N, frames, height, width, channels)."""
        # As stock code does it: a window is no larger than the feature map.
        self.attn.window = tuple(map(min, x.shape[1:4], self.window_size))
        return super().forward(x, *args, **kwargs)


@lru_cache(maxsize=None)
def with_mixin(mixin: type, kind: type) -> type:
    """Return a class with a mixin, one for each class of modules."""
    return type(f'{kind.__name__}OnGrid', (mixin, kind), {})


def follow_windows(model: nn.Module) -> List[str]:
    """Change the blocks of VideoSwin in place to use the right biases.

    No state is added to the model.

    Returns:
        list[str]: Names of the blocks.
    """
    followed = []
    for name, block in model.named_modules():
        if (type(block).__name__ == 'SwinTransformerBlock3D'
                and type(block.attn).__name__ == 'WindowAttention3D'):
            block.attn.window = tuple(block.window_size)
            block.attn.__class__ = with_mixin(WindowBiasMixin,
                                              type(block.attn))
            block.__class__ = with_mixin(WindowSizeMixin, type(block))
        if isinstance(block, WindowSizeMixin):
            followed.append(name)
    return followed
