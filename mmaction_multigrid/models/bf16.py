"""Mixed precision in bfloat16, on CPUs too; it needs no scaling of losses."""

from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from ..core.batch_norm import unwrap_model


@contextmanager
def bfloat16(model: nn.Module):
    """Run a recognizer in ``torch.autocast`` to bfloat16 inside the block.

    MMAction2's heads turn their scores into numpy arrays, which know no
    bfloat16: scores come out in float32.
    """
    head = getattr(model, 'cls_head', nn.Identity())
    hook = head.register_forward_hook(
        lambda module, args, scores: scores.float())
    device = next(model.parameters()).device.type
    try:
        with torch.autocast(device, dtype=torch.bfloat16):
            yield
    finally:
        hook.remove()


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """``OptimWrapper`` that runs the model in bfloat16.

    mmengine's ``AmpOptimWrapper`` refuses CPUs. Arguments as for
    ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module):
        """Run the model in bfloat16 inside the ``with`` block."""
        with super().optim_context(model), bfloat16(unwrap_model(model)):
            yield
