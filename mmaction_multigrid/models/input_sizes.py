"""Check which clip sizes a network takes, by running it."""

from contextlib import contextmanager, suppress
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from .segments import is_2d

Size = Tuple[int, int]  # frames, crop


def temporal_kernel(model: nn.Module) -> int:
    """Return the largest temporal kernel size, in frames; 1 without any."""
    return max((layer.kernel_size[0]
                for layer in model.modules() if isinstance(layer, nn.Conv3d)),
               default=1)


def short_edges(features: Any) -> List[int]:
    """List the shorter spatial edges of feature maps (N, C, T, H, W)."""
    # SlowFast returns a tuple, and other backbones may nest them.
    if isinstance(features, (list, tuple)):
        return [edge for entry in features for edge in short_edges(entry)]
    is_map = isinstance(features, Tensor) and features.dim() == 5
    return [min(features.shape[-2:])] if is_map else []


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluate a network without gradients inside the ``with`` block."""
    # Dropout would draw random numbers, and batch norms would change their
    # statistics. train() afterwards would also thaw frozen layers.
    training = [module for module in model.modules() if module.training]
    try:
        with torch.no_grad():
            yield model.eval()
    finally:
        for module in training:
            module.training = True


def input_channels(model: nn.Module) -> int:
    """Return the channels of the first convolution; 3 without any."""
    return next((layer.in_channels for layer in model.modules()
                 if isinstance(layer, (nn.Conv2d, nn.Conv3d))), 3)


def _make_clip(backbone: nn.Module, size: Size) -> Tensor:
    """Return a black clip that fits the first convolution."""
    device = next((parameter.device for parameter in backbone.parameters()),
                  None)
    return torch.zeros(
        1, input_channels(backbone), *size, size[1], device=device)


def min_feature_size(backbone: nn.Module, num_frames: int,
                     crop_size: int) -> Optional[int]:
    """Return the shorter edge of the smallest feature map of a clip.

    Args:
        backbone (nn.Module): The backbone.
        num_frames (int): Frames of the clip.
        crop_size (int): Height and width of the clip in pixels.

    Returns:
        int, optional: The edge in positions; None if the backbone refuses the
        clip, or returns no feature maps.
    """
    with suppress(Exception), _evaluating(backbone):
        # Networks raise errors of any type at input that they refuse.
        features = backbone(_make_clip(backbone, (num_frames, crop_size)))
        return min(short_edges(features), default=None)


def find_failure(model: nn.Module, size: Size) -> Optional[str]:
    """Run one clip through a recognizer's backbone and neck.

    Args:
        model (nn.Module): The recognizer.
        size (tuple[int, int]): Frames and crop of the clip.

    Returns:
        str, optional: First line of the error of the layer that fails; None
        if all layers take the clip.
    """
    try:
        with _evaluating(model):
            clip = _make_clip(model.backbone, size)
            if is_2d(model):
                model(clip.transpose(1, 2))
                return None
            features = model.backbone(clip)
            if getattr(model, 'neck', None) is not None:
                model.neck(features)
        return None
    except Exception as error:  # layers raise errors of any type
        return f'{type(error).__name__}: {error}'.splitlines()[0]


def check_sizes(model: nn.Module, sizes: Sequence[Size], base: Size) -> None:
    """Check that a network takes the clips of a schedule.

    Args:
        model (nn.Module): The recognizer.
        sizes (Sequence[tuple[int, int]]): Frames and crop of every shape of
            the schedule.
        base (tuple[int, int]): Frames and crop of the base clips.

    Raises:
        ValueError: The network refuses them, although it takes the base
            clips.
    """
    sizes = sorted({*sizes, base})
    failures = {size: find_failure(model, size) for size in sizes}
    refused = [size for size in sizes if failures[size]]
    # A network that fails at the base clips as well needs other input than
    # these clips, so that nothing is known about it.
    if not refused or base in refused:
        return
    frames, crop = refused[0]
    works = ', '.join(f'{size[0]} x {size[1]}' for size in sizes
                      if not failures[size])
    raise ValueError(f'clips of {frames} frames x {crop} pixels are too small '
                     f'for the network ({failures[refused[0]]}), which takes '
                     f'{works}: leave other shapes out by '
                     'multigrid.long_cycle_factors and short_cycle_factors')
