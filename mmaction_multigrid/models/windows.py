"""VideoSwin's relative positions inside of windows that are smaller than those that its tables are for."""

from typing import List

from mmaction.models.backbones.swin import SwinTransformerBlock3D, WindowAttention3D, get_window_size
from torch import Tensor, nn


class WindowAttentionOnGrid(WindowAttention3D):
    """Window attention that looks its biases up by the offsets inside of the window at hand.

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


class SwinBlockOnGrid(SwinTransformerBlock3D):
    """VideoSwin's block, which tells its attention how large the windows are."""

    def forward(self, x: Tensor, mask_matrix: Tensor) -> Tensor:
        """Forward feature maps of shape (N, frames, height, width, channels)."""
        self.attn.window = tuple(get_window_size(x.shape[1:4], self.window_size))
        return super().forward(x, mask_matrix)


def follow_windows(model: nn.Module) -> List[str]:
    """Have VideoSwin's blocks use the biases of their windows' own offsets, in place and without new state.

    Returns:
        list[str]: Names of these blocks.
    """
    followed = []
    for name, module in model.named_modules():
        if type(module) is SwinTransformerBlock3D and type(module.attn) is WindowAttention3D:
            module.__class__, module.attn.__class__ = SwinBlockOnGrid, WindowAttentionOnGrid
            module.attn.window = tuple(module.attn.window_size)
        if isinstance(module, SwinBlockOnGrid):
            followed.append(name)
    return followed
