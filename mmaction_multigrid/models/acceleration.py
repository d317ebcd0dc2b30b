"""Mixed precision in bfloat16, and compiled backbones."""

from contextlib import contextmanager
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from mmaction.registry import HOOKS
from ..core.batch_norm import unwrap_model

# Of validation, its last batch and precise BN, for example.
SPARE_GRAPHS = 16


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """``OptimWrapper`` that runs the model in bfloat16, on CPUs too.

    mmengine's ``AmpOptimWrapper`` refuses CPUs. bfloat16 needs no scaling of
    losses. Arguments as for ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module):
        """Run the model in bfloat16 inside the ``with`` block.

        MMAction2's heads turn their scores into numpy arrays, which know no
        bfloat16: scores come out in float32.
        """
        head = getattr(unwrap_model(model), 'cls_head', nn.Identity())
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(
                device, dtype=torch.bfloat16), head.register_forward_hook(
                    lambda module, args, scores: scores.float()):
            yield


@HOOKS.register_module()
class CompileBackboneHook(Hook):
    """Compile ``model.backbone`` by ``torch.compile``.

    ``apply_multigrid`` replaces ``compile`` by this hook. mmengine's
    ``compile`` compiles the whole ``train_step``, whose graph depends on the
    samples of a batch and is compiled anew at every iteration. A backbone's
    depends on the clip shape, the batch size and the number of batch-norm
    splits: a schedule has more of these than the eight after which torch
    stops compiling. Parameters keep their names.

    Its priority is BELOW_NORMAL: after ``MultigridHook`` has replaced the
    batch norms.

    Args:
        **options: Arguments of ``torch.compile`` (``backend``, ``mode``,
            ...). ``dynamic`` defaults to False: one graph per shape.

    Raises:
        AttributeError: In training: torch is older than 2.2, which cannot
            compile a module in place.
    """
    priority = 'BELOW_NORMAL'

    def __init__(self, **options: Any) -> None:
        self.options = {'dynamic': False, **options}

    def before_train(self, runner) -> None:
        """Compile, and allow a graph for every shape of the schedule."""
        # Two stages may share a shape and differ in splits.
        graphs = SPARE_GRAPHS + sum(
            len(set(stage.shapes))
            for stage in runner.train_loop.batch_sampler.stages)
        config = torch._dynamo.config
        config.cache_size_limit = max(config.cache_size_limit, graphs)
        config.accumulated_cache_size_limit = max(
            config.accumulated_cache_size_limit, 8 * graphs)
        unwrap_model(runner.model).backbone.compile(**self.options)
        runner.logger.info('The backbone is compiled, for each shape when it '
                           f'first comes ({self.options}): the first '
                           'iterations of a stage are slow')
