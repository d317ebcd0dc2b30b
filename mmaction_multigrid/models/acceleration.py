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

# Graphs beside those of the schedule: validation, its last and smaller batch,
# precise BN, and each of them with and without gradients.
SPARE_GRAPHS = 16


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """``OptimWrapper`` that runs the model in bfloat16, on CPUs too.

    mmengine's ``AmpOptimWrapper`` refuses CPUs. bfloat16 needs no loss
    scaling. Args: as for ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module):
        """Run the model in bfloat16 inside the ``with`` block."""
        # MMAction2's heads convert scores to numpy arrays to compute the
        # accuracy, and numpy has no bfloat16: scores become float32.
        head = getattr(unwrap_model(model), 'cls_head', nn.Identity())
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(
                device, dtype=torch.bfloat16), head.register_forward_hook(
                    lambda module, args, scores: scores.float()):
            yield


@HOOKS.register_module()
class CompileBackboneHook(Hook):
    """Compile ``model.backbone`` by ``torch.compile``.

    ``apply_multigrid`` replaces the key ``compile`` by this hook. mmengine
    would compile the whole ``train_step``, whose graph depends on the samples
    of a batch, so that every iteration compiles it again. The graph of a
    backbone depends on clip shape, batch size and batch-norm splits only.
    Parameters keep their names.

    Its priority is BELOW_NORMAL, so that ``MultigridHook`` has converted the
    batch norms before.

    Args:
        **options: Arguments of ``torch.compile`` (``backend``, ``mode``,
            ...). ``dynamic`` defaults to False: one graph per shape.

    Raises:
        AttributeError: At the start of training, with a torch before 2.2,
            which cannot compile a module in place.
    """
    priority = 'BELOW_NORMAL'

    def __init__(self, **options: Any) -> None:
        self.options = {'dynamic': False, **options}

    def before_train(self, runner) -> None:
        """Compile, and allow a graph for every shape of the schedule."""
        # By default torch stops compiling after eight graphs. Two stages may
        # share a shape and differ in splits.
        graphs = SPARE_GRAPHS + sum(
            len(set(stage.shapes))
            for stage in runner.train_loop.batch_sampler.stages)
        config = torch._dynamo.config
        config.cache_size_limit = max(config.cache_size_limit, graphs)
        config.accumulated_cache_size_limit = max(
            config.accumulated_cache_size_limit, 8 * graphs)
        # In place: a compiled copy would have other parameter names, and
        # checkpoints would no longer be stock ones.
        unwrap_model(runner.model).backbone.compile(**self.options)
        runner.logger.info('The backbone is compiled, for each shape when it '
                           f'first comes ({self.options}): the first '
                           'iterations of a stage are slow')
