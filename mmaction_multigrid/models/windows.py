"""VideoSwin's relative positions in windows smaller than its tables."""

from functools import lru_cache
from typing import Any, List

from torch import Tensor, nn


class WindowBiasMixin:
    """Mixed into window attention: biases of the offsets in its window.

    Stock code takes the first rows and columns of the full window's index.
    They are right in a window that is shorter in time alone; in one that is
    smaller in space most of them are those of other offsets.

    Attributes:
        window (tuple[int]): (frames, height, width) of the windows of the
            last batch.
    """

    @property
    def relative_position_index(self) -> Tensor:
        """Tensor: Row of the table for every pair of positions."""
        index = self._buffers['relative_position_index'].view(
            *self.window_size, *self.window_size)
        inside = tuple(map(slice, self.window))
        return index[inside + inside].flatten(3).flatten(0, 2)


class WindowSizeMixin:
    """Mixed into VideoSwin's block: sets the window of its attention."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Forward maps of shape (N, frames, height, width, channels)."""
        self.attn.window = tuple(map(min, x.shape[1:4], self.window_size))
        return super().forward(x, *args, **kwargs)


@lru_cache(maxsize=None)
def _mix(mixin: type, kind: type) -> type:
    return type(f'{kind.__name__}OnGrid', (mixin, kind), {})


def follow_windows(model: nn.Module) -> List[str]:
    """Let VideoSwin's blocks use the biases of their windows' offsets.

    They are changed in place and without new state.

    Returns:
        list[str]: Names of these blocks.
    """
    followed = []
    for name, block in model.named_modules():
        if (type(block).__name__ == 'SwinTransformerBlock3D'
                and type(block.attn).__name__ == 'WindowAttention3D'):
            block.attn.window = tuple(block.window_size)
            block.attn.__class__ = _mix(WindowBiasMixin, type(block.attn))
            block.__class__ = _mix(WindowSizeMixin, type(block))
        if isinstance(block, WindowSizeMixin):
            followed.append(name)
    return followed
