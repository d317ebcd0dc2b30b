"""VideoSwin's relative positions inside of windows that are smaller than those that its tables are for."""

from functools import lru_cache
from typing import Any, List

from torch import Tensor, nn


class WindowBiasMixin:
    """Mixed into window attention: it looks its biases up by the offsets inside of the window at hand.

    The stock one takes the first rows and columns of the full window's index: of a window that is shorter in time alone
    they are the right ones, of one that is smaller in space most of them are another offset's.

    Attributes:
        window (tuple[int]): (frames, height, width) of the windows of the last batch.
    """

    @property
    def relative_position_index(self) -> Tensor:
        """Row of the table for every pair of positions of a window."""
        index, full, window = self._buffers['relative_position_index'], tuple(self.window_size), self.window
        if window[1:] == full[1:]:
            return index
        inside = tuple(map(slice, window))
        count = window[0] * window[1] * window[2]
        return index.view(*full, *full)[(*inside, *inside)].reshape(count, count)


class WindowSizeMixin:
    """Mixed into VideoSwin's block: it tells its attention how large the windows are."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Forward feature maps of shape (N, frames, height, width, channels)."""
        self.attn.window = tuple(map(min, x.shape[1:4], self.window_size))
        return super().forward(x, *args, **kwargs)


@lru_cache(maxsize=None)
def _on_grid(mixin: type, kind: type) -> type:
    return type(f'{kind.__name__}OnGrid', (mixin, kind), {})


def follow_windows(model: nn.Module) -> List[str]:
    """Have VideoSwin's blocks use the biases of their windows' own offsets, in place and without new state.

    Returns:
        list[str]: Names of these blocks.
    """
    followed = []
    for name, module in model.named_modules():
        if type(module).__name__ == 'SwinTransformerBlock3D' and type(module.attn).__name__ == 'WindowAttention3D':
            module.attn.window = tuple(module.window_size)
            module.attn.__class__ = _on_grid(WindowBiasMixin, type(module.attn))
            module.__class__ = _on_grid(WindowSizeMixin, type(module))
        if isinstance(module, WindowSizeMixin):
            followed.append(name)
    return followed
