"""Check which clip sizes a network takes, by running it."""

from contextlib import contextmanager, suppress
from traceback import walk_tb
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

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


def _make_clip(backbone: nn.Module, size: Size) -> Tensor:
    """Return a black clip with the channels of the first convolution."""
    channels = next((layer.in_channels for layer in backbone.modules()
                     if isinstance(layer, (nn.Conv2d, nn.Conv3d))), 3)
    device = next((parameter.device for parameter in backbone.parameters()),
                  None)
    return torch.zeros(1, channels, *size, size[1], device=device)


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
        str, optional: The layer that fails, with its error; None if all
        layers take the clip.
    """
    try:
        with _evaluating(model):
            features = model.backbone(_make_clip(model.backbone, size))
            if getattr(model, 'neck', None) is not None:
                model.neck(features)
        return None
    except Exception as error:  # layers raise errors of any type
        # Of the modules in the trace, the innermost one has failed. Functions
        # called by it have no `self` that is a module.
        names = {module: name for name, module in model.named_modules()}
        called = (frame.f_locals.get('self')
                  for frame, _ in walk_tb(error.__traceback__))
        layer = [
            model, *(entry for entry in called if isinstance(entry, nn.Module))
        ][-1]
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return f'{names.get(layer)} ({type(layer).__name__}): {reason}'


def check_sizes(model: nn.Module, sizes: Sequence[Size], base: Size) -> None:
    """Check that a network takes the smallest clips of a schedule.

    Only clips that are smallest in frames or crop are run, because larger
    ones fit where these do.

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
    smallest = [
        size for size in sizes if not any(
            other != size and other[0] <= size[0] and other[1] <= size[1]
            for other in sizes)
    ]
    failures = ((size, find_failure(model, size)) for size in smallest)
    (frames, crop), failure = next(
        filter(lambda pair: pair[1], failures), (base, None))
    # A network that fails at the base clips as well needs other input than
    # these clips, so that nothing is known about it.
    if not failure or find_failure(model, base):
        return
    # All sizes are run only for the message, which takes seconds.
    works = ', '.join(f'{size[0]} x {size[1]}' for size in sizes
                      if not find_failure(model, size))
    raise ValueError(f'clips of {frames} frames x {crop} pixels are too small '
                     f'for {failure}. The network takes {works}: leave other '
                     'shapes out by multigrid.long_cycle_factors and '
                     'short_cycle_factors')
