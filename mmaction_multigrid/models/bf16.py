"""Half precision that needs no scaling of the loss."""

from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def bfloat16(model: nn.Module):
    """Run a recognizer in ``torch.autocast`` to bfloat16 inside the ``with`` block; its scores come out in float32."""
    head = getattr(model, 'cls_head', None)
    hook = head.register_forward_hook(lambda module, args, scores: scores.float()) if head is not None else None
    device = next(model.parameters()).device.type
    try:
        with torch.autocast(device, dtype=torch.bfloat16):
            yield
    finally:
        if hook is not None:
            hook.remove()
