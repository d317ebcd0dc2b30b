"""Describe a multigrid run before it starts, and warn of problems."""

from typing import List, Mapping, Optional, Set

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from torch import nn

from mmaction.registry import HOOKS
from ..core.batch_norm import SubBatchNorm, find_batch_norms, unwrap_model
from ..models.input_sizes import min_feature_size, temporal_kernel
from ..patches import change_lines
from .warnings import clip_warnings, data_warnings

# Share of the first loss, above which a warning comes. The study's runs that
# ended far below their baseline had 0.74 to 0.81, others 0.53 or less.
MAX_LOSS = 0.7


@HOOKS.register_module()
class StartReportHook(Hook):
    """Log a summary of a run and warnings before it starts.

    After the first stage at the base shape it warns if the loss hardly fell.

    Args:
        base (dict, optional): Base training to compare the run with:
            ``max_epochs``, ``relative_cost`` (cost of the run divided by that
            of base training), ``max_batch_factor`` and ``lr_scaling``.
            Defaults to None, which means no comparison.
    """
    # After MultigridHook, which comes before it in the list of hooks, has
    # converted the batch norms.
    priority = 'NORMAL'

    def __init__(self, base: Optional[dict] = None) -> None:
        self.base = base or {}

    def before_train(self, runner) -> None:
        """Log the report."""
        model = unwrap_model(runner.model)
        # Frozen layers go to evaluation mode in train(), as in every epoch.
        model.train()
        lines = report_lines(runner, self.base)
        for line in (*change_lines(), *map('Multigrid: {}'.format, lines)):
            runner.logger.info(line)
        warnings = report_warnings(runner, self.base)
        unknown = unknown_norms(model)
        if unknown:
            warnings.append(
                'some batch norms compute statistics over whole batches, '
                "because their classes are not known. Use torch's or mmcv's "
                f'classes instead of {", ".join(sorted(unknown))}')
        for line in warnings:
            runner.logger.warning(f'Multigrid: {line}')

    def after_train_epoch(self, runner) -> None:
        """Warn if the coarse stages have hardly lowered the loss.

        This is known at the end of the first stage at the base shape.
        """
        stages = runner.train_loop.batch_sampler.stages
        full = next(s for s in stages if s.shape == stages[-1].shape)
        losses = runner.message_hub.get_scalar('train/loss').data[0]
        first, last = losses[:20].mean(), losses[-20:].mean()
        if runner.epoch + 1 == full.end and last > MAX_LOSS * first:
            runner.logger.warning(
                f'Multigrid: the loss fell only from {first:.2f} to {last:.2f}'
                ' by the end of the first stage at the base shape; set '
                'max_batch_factor = 2 and finish = 0.5, or use no multigrid')


def report_lines(runner, base: Mapping) -> List[str]:
    """Describe epochs, iterations and evaluations.

    Args:
        runner (Runner): A runner whose train loop is built.
        base (dict): As for :class:`StartReportHook`.
    """
    loop = runner.train_loop
    stages, iterations = loop.batch_sampler.stages, loop.max_iters
    lines = [
        f'{loop.max_epochs} epochs in {len(stages)} stages, '
        f'{iterations} iterations'
    ]
    if base:
        total = _base_iterations(runner, base)
        lines[0] += (f'; base training: {base["max_epochs"]} epochs, '
                     f'{total} iterations. {100 * iterations / total:.0f} '
                     '% of the iterations are left, at '
                     f'{100 * base["relative_cost"]:.0f} % of the computing')
        lines.append(f'max_batch_factor = {base["max_batch_factor"]!r}, '
                     f'lr_scaling = {base["lr_scaling"]!r}')
    return [*lines, f'{len(loop.eval_epochs)} evaluations']


def report_warnings(runner, base: Mapping) -> List[str]:
    """List the warnings about a run.

    Args: as for :func:`report_lines`.
    """
    loop, sampler = runner.train_loop, runner.train_loop.batch_sampler
    shapes = {shape for stage in sampler.stages for shape in stage.shapes}
    processes, found = get_world_size(), []
    if base:
        found += data_warnings(shapes, sampler.batch_size * processes,
                               sampler.num_clips * processes, loop.max_iters,
                               _base_iterations(runner, base))
    backbone = getattr(unwrap_model(runner.model), 'backbone', None)
    if backbone is not None:
        crop, frames = min((shape[2], shape[1]) for shape in shapes)
        found += clip_warnings(
            min(shape.num_frames for shape in shapes), crop,
            min_feature_size(backbone, frames, crop),
            temporal_kernel(backbone))
    return found


def _base_iterations(runner, base: Mapping) -> int:
    sampler = runner.train_loop.batch_sampler
    return base['max_epochs'] * -(-sampler.num_clips // sampler.batch_size)


def unknown_norms(model: nn.Module) -> Set[str]:
    """Return the classes of batch norms that are neither converted nor frozen.

    Args:
        model (nn.Module): A converted model in training mode.
    """
    return {
        type(module).__name__
        for module in find_batch_norms(model)
        if module.training and not isinstance(module, SubBatchNorm)
    }
