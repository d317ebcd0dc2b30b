"""Compiled backbones: once per shape and number of splits, instead of at every iteration."""

from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook

from ..core.batch_norm import unwrap_model

SPARE_GRAPHS = 16  # validation, its last batch, precise BN: each may need one of its own


@HOOKS.register_module()
class CompileBackboneHook(Hook):
    """Compiles ``model.backbone`` with ``torch.compile``; ``apply_multigrid`` puts it in the place of ``compile``.

    mmengine's ``compile`` compiles the whole ``train_step``, whose graph depends on the samples of a batch and is made
    anew at every iteration. A backbone's depends on the clip shape, the batch size and the number of batch-norm
    splits: a schedule has more of these than the eight after which torch gives up and goes on without compiling.
    Parameters keep their names. Its priority is BELOW_NORMAL: after ``MultigridHook`` has swapped the norm layers.

    Args:
        options: Arguments of ``torch.compile`` (``backend``, ``mode``, ...). ``dynamic`` defaults to False: one graph
            per shape.

    Raises:
        RuntimeError: torch is older than 2.2, which cannot compile a module in place.
    """
    priority = 'BELOW_NORMAL'

    def __init__(self, **options: Any) -> None:
        if not hasattr(torch.nn.Module, 'compile'):
            raise RuntimeError(f'compile: needs torch>=2.2, and {torch.__version__} is installed; leave it out')
        self.options = {'dynamic': False, **options}

    def before_train(self, runner) -> None:
        """Compile, and make room for a graph for every shape of the schedule."""
        model = unwrap_model(runner.model)
        # At most one a stage and shape: two stages may share a shape and differ in splits.
        graphs = SPARE_GRAPHS + sum(len(set(stage.shapes)) for stage in runner.train_loop.batch_sampler.stages)
        config = torch._dynamo.config
        config.cache_size_limit = max(config.cache_size_limit, graphs)
        config.accumulated_cache_size_limit = max(config.accumulated_cache_size_limit, 8 * graphs)
        model.backbone.compile(**self.options)
        runner.logger.info(f'The backbone is compiled, for each shape when it first comes ({self.options}): the first '
                           'iterations of a stage are slow')
