"""Number of segments of 2D networks."""

from functools import lru_cache
from typing import Any, List

from torch import Tensor, nn


class SegmentsMixin:
    """Mixin of 2D recognizers that passes on the segments of a batch.

    Attributes:
        base_segments (int): Segments of the base config's clips.
        segment_modules (tuple): Modules that shift or pool over segments,
            with the number that each was built for.
    """

    def forward(self, inputs: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Forward images of shape (N, segments, channels, height, width)."""
        # In tests the second dimension may hold several crops of a video.
        segments = min(inputs.shape[1], self.base_segments)
        for module, base in self.segment_modules:
            # Temporal pooling leaves half of the segments to later layers.
            module.num_segments = max(1, base * segments // self.base_segments)
        return super().forward(inputs, *args, **kwargs)


def is_2d(model: nn.Module) -> bool:
    """Check for a ``Recognizer2D``, without importing all models."""
    return 'Recognizer2D' in [kind.__name__ for kind in type(model).__mro__]


@lru_cache(maxsize=None)
def _mix(kind: type) -> type:
    return type(f'{kind.__name__}OnGrid', (SegmentsMixin, kind), {})


def follow_segments(model: nn.Module) -> List[str]:
    """Change a 2D recognizer in place to take any number of segments.

    No state is added to the model.

    Returns:
        list[str]: Names of the modules that follow.
    """
    if not is_2d(model):
        return []
    if type(model.cls_head).__name__ == 'TPNHead':
        # The stock head keeps the pooling for the size of its first batch.
        model.cls_head.avg_pool2d = nn.AdaptiveAvgPool3d((None, 1, 1))
    modules = {
        name: module
        for name, module in model.named_modules()
        if isinstance(getattr(module, 'num_segments', None), int)
    }
    # A second call would take the segments of the last batch for the base.
    if modules and not isinstance(model, SegmentsMixin):
        model.segment_modules = tuple(
            (module, module.num_segments) for module in modules.values())
        model.base_segments = max(base for _, base in model.segment_modules)
        model.__class__ = _mix(type(model))
    return list(modules)
