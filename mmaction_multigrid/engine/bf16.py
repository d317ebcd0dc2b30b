"""Mixed precision in bfloat16, on CPUs too."""

from contextlib import contextmanager

from mmaction.registry import OPTIM_WRAPPERS
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import nn

from ..models import bfloat16


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """``OptimWrapper`` that runs the model in ``torch.autocast`` to bfloat16; losses need no scaling then.

    mmengine's ``AmpOptimWrapper`` refuses CPUs, and MMAction2's heads turn their scores into numpy arrays, which
    know no bfloat16: scores are handed on in float32 here. Arguments as for ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module):
        """Run the model in bfloat16 inside the ``with`` block."""
        with super().optim_context(model), bfloat16(model.module if is_model_wrapper(model) else model):
            yield
