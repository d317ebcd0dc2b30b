"""What a network makes of clips as small as the coarsest of a schedule."""

from contextlib import contextmanager
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

Size = Tuple[int, int]  # frames, crop


def temporal_kernel(model: nn.Module) -> int:
    """Frames of the longest convolution of a network; 1 without any."""
    return max((layer.kernel_size[0] for layer in model.modules() if isinstance(layer, nn.Conv3d)), default=1)


def short_edges(features: Any) -> List[int]:
    """Shorter spatial sides of the feature maps, of shape (N, C, T, H, W), among a head's inputs."""
    if isinstance(features, Tensor):
        return [min(features.shape[-2:])] if features.dim() == 5 else []
    return [side for entry in features for side in short_edges(entry)] if isinstance(features, (list, tuple)) else []


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Have neither the network nor random numbers change in a forward."""
    training = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, was in training:
            module.training = was


def _make_clip(backbone: nn.Module, size: Size) -> Tensor:
    """A black clip, of as many channels as the first convolution takes."""
    channels = next((layer.in_channels for layer in backbone.modules()
                     if isinstance(layer, (nn.Conv2d, nn.Conv3d))), 3)
    device = next((parameter.device for parameter in backbone.parameters()),
                  None)
    frames, crop = size
    return torch.zeros(1, channels, frames, crop, crop, device=device)


def min_feature_size(backbone: nn.Module, num_frames: int,
                 crop_size: int) -> Optional[int]:
    """Shorter side of the smallest feature map that a backbone makes of a clip; None where it cannot be attr_targets."""
    try:
        with _evaluating(backbone):
            features = backbone(_make_clip(backbone, (num_frames, crop_size)))
            return min(short_edges(features), default=None)
    except Exception:  # a network that takes something else
        return None


def find_failure(model: nn.Module, size: Size) -> Optional[str]:
    """Run one clip through a recognizer's backbone and neck.

    Args:
        model: The recognizer.
        size: Frames and crop of the clip.

    Returns:
        str or None: The layer that fails, its input and its error.
    """
    names = {module: name for name, module in model.named_modules()}
    running: List[Tuple[nn.Module, Any]] = []

    def begin(module: nn.Module, args: tuple) -> None:
        shapes = [tuple(arg.shape[1:]) for arg in args
                  if isinstance(arg, Tensor)]
        running.append((module, shapes))

    def end(*_: Any) -> None:
        running.pop()

    hooks = []
    for module in names:
        hooks.append(module.register_forward_pre_hook(begin))
        hooks.append(module.register_forward_hook(end))
    try:
        with _evaluating(model):
            features = model.backbone(_make_clip(model.backbone, size))
            if getattr(model, 'neck', None) is not None:
                model.neck(features)
        return None
    except Exception as error:  # whatever a layer makes of its input
        layer, shapes = running[-1]
        text = ', '.join(' x '.join(map(str, shape)) for shape in shapes)
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return (f'{names[layer]} ({type(layer).__name__}), which gets '
                f'{text or "it"}: {reason}')
    finally:
        for hook in hooks:
            hook.remove()


def check_sizes(model: nn.Module, sizes: Sequence[Size], base: Size) -> None:
    """Check that a network takes the smallest clips of a schedule.

    Args:
        model: The recognizer.
        sizes: Frames and crop of every shape of the schedule.
        base: Those of the base clips.

    Raises:
        ValueError: It does not, though it takes the base clips.
    """
    sizes = sorted(set(sizes))
    smallest = [size for size in sizes if not any(
        other != size and other[0] <= size[0] and other[1] <= size[1]
        for other in sizes)]
    failures = {size: find_failure(model, size) for size in smallest}
    failing = [size for size in smallest if failures[size]]
    # A network that fails at the base clips too takes other inputs than these.
    if not failing or find_failure(model, base):
        return
    frames, crop = failing[0]
    works = [size for size in [*sizes, base] if not find_failure(model, size)]
    cure = _find_cure(sizes, works, base)
    raise ValueError(
        f'clips of {frames} frames x {crop} pixels are too small for '
        f'{failures[frames, crop]}. {cure}')


def _find_cure(sizes: Sequence[Size], works: Sequence[Size],
               base: Size) -> str:
    """The setting that leaves the shapes out that are too small."""
    def least(axis: int) -> Optional[int]:
        failing = [size[axis] for size in sizes if size not in works]
        return min((size[axis] for size in works
                    if size[axis] > max(failing)), default=None)

    frames, crop = least(0), least(1)
    if frames is not None:
        share = f'{frames / base[0]:.4g}'
        factors = [f'({share}, 0.7071)', f'({share}, 1)', '(1, 1)']
        if frames == base[0]:
            del factors[1]
        return (f'{frames} frames are enough: multigrid.long_cycle_factors = '
                f'({", ".join(factors)})')
    if crop is not None:
        return (f'{crop} pixels are enough: leave crops below '
                f'{crop / base[1]:.4g} of the base crop out of '
                'multigrid.long_cycle_factors and short_cycle_factors')
    return ('Leave its shape out of multigrid.long_cycle_factors and '
            'short_cycle_factors')
