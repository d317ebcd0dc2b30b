"""How far a network's layers reach, beside how large a coarse clip is."""

from typing import Any, List, Optional

import torch
from torch import Tensor, nn


def temporal_kernel(model: nn.Module) -> int:
    """Frames of the longest convolution of a network; 1 without any."""
    return max((layer.kernel_size[0] for layer in model.modules() if isinstance(layer, nn.Conv3d)), default=1)


def feature_sides(features: Any) -> List[int]:
    """Shorter spatial sides of the feature maps, of shape (N, C, T, H, W), among a head's inputs."""
    if isinstance(features, Tensor):
        return [min(features.shape[-2:])] if features.dim() == 5 else []
    return [side for entry in features for side in feature_sides(entry)] if isinstance(features, (list, tuple)) else []


def smallest_map(backbone: nn.Module, num_frames: int, crop_size: int, channels: int = 3) -> Optional[int]:
    """Shorter side of the smallest feature map that a backbone makes of a clip; None where it cannot be told.

    Neither the network nor random numbers change.
    """
    training = [(module, module.training) for module in backbone.modules()]
    device = next((parameter.device for parameter in backbone.parameters()), None)
    clip = torch.zeros(1, channels, num_frames, crop_size, crop_size, device=device)
    try:
        backbone.eval()
        with torch.no_grad():
            return min(feature_sides(backbone(clip)), default=None)
    except Exception:  # a network that takes something else
        return None
    finally:
        for module, was in training:
            module.training = was
