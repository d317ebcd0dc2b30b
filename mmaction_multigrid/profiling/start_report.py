"""Report on a multigrid run before it starts."""

from itertools import islice
from typing import List, Mapping, NamedTuple, Optional

from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook, Hook
from torch import nn

from mmaction.registry import HOOKS
from ..core.batch_norm import SubBatchNorm, named_batch_norms, unwrap_model
from ..models.input_sizes import min_feature_size, temporal_kernel
from ..patches import change_lines
from .run_warnings import crop_warning, data_warnings, frames_warning

LR_RULES = dict(
    linear='in proportion', sqrt='by its square root', none='not at all')


@HOOKS.register_module()
class StartReportHook(Hook):
    """Log what a run will do, and warn of what speaks against it.

    Args:
        base (dict, optional): Base training to compare the run with:
            ``max_epochs``, ``relative_cost`` (computing relative to it),
            ``max_batch_factor`` and ``lr_scaling``. Defaults to None.
    """
    priority = 'NORMAL'

    def __init__(self, base: Optional[dict] = None) -> None:
        self.base = base or {}

    def before_train(self, runner) -> None:
        """Log the report."""
        model = unwrap_model(runner.model)
        for line in change_lines():
            runner.logger.info(line)
        for line in plan_lines(runner, self.base):
            runner.logger.info(f'Multigrid: {line}')
        model.train()  # as every epoch begins
        norms = norm_report(model)
        runner.logger.info(f'Multigrid: {norms}')
        for line in norms.warnings() + plan_warnings(runner, self.base):
            runner.logger.warning(f'Multigrid: {line}')


def plan_lines(runner, base: Mapping) -> List[str]:
    """Describe epochs, iterations, batches, lr, validations, checkpoints.

    Args:
        runner (Runner): Its train loop is built.
        base (dict): That of :class:`StartReportHook`.
    """
    loop = runner.train_loop
    stages, iterations = loop.batch_sampler.stages, loop.max_iters
    lines = [
        f'{loop.max_epochs} epochs in {len(stages)} '
        f'stages, {iterations} iterations'
    ]
    if base:
        total = _base_iterations(runner, base)
        lines[0] += (f'; base training: {base["max_epochs"]} epochs, '
                     f'{total} iterations. {100 * iterations / total:.0f} '
                     '% of the iterations are left, at '
                     f'{100 * base["relative_cost"]:.0f} % of the computing')
        largest = max(shape.batch_factor for stage in stages
                      for shape in stage.shapes)
        lines.append(f'batches of up to {largest} times the base batch '
                     f'(max_batch_factor = {base["max_batch_factor"]}); the '
                     f'lr follows the batch {LR_RULES[base["lr_scaling"]]} '
                     f'(lr_scaling = {base["lr_scaling"]!r})')
    count = len(loop.eval_epochs)
    keeper = next(
        (hook for hook in runner.hooks if isinstance(hook, CheckpointHook)),
        None)
    saved = 'no checkpoints' if keeper is None else (
        f'{count} checkpoints, in {keeper.out_dir or runner.work_dir}')
    validations = 'no' if runner.val_loop is None else count
    return [*lines, f'{validations} validations; {saved}']


def plan_warnings(runner, base: Mapping) -> List[str]:
    """List all that speaks against a run, from the same arguments."""
    loop, sampler = runner.train_loop, runner.train_loop.batch_sampler
    shapes = sorted({s for stage in sampler.stages for s in stage.shapes})
    found = []
    if base:
        found += data_warnings(shapes, sampler.batch_size * get_world_size(),
                               sampler.num_clips * get_world_size(),
                               loop.max_iters, _base_iterations(runner, base))
    backbone = getattr(unwrap_model(runner.model), 'backbone', None)
    if backbone is None:
        return found
    _, frames, crop = min(
        shapes, key=lambda shape: (shape.crop_size, shape.num_frames))
    return [
        *found, *crop_warning(crop, min_feature_size(backbone, frames, crop)),
        *frames_warning(
            min(shape.num_frames
                for shape in shapes), temporal_kernel(backbone))
    ]


def _base_iterations(runner, base: Mapping) -> int:
    sampler = runner.train_loop.batch_sampler
    return base['max_epochs'] * -(-sampler.num_clips // sampler.batch_size)


class NormReport(NamedTuple):
    """Batch norms of a converted model.

    Attributes:
        converted (dict[str, str]): Names and classes of those whose
            statistics are over groups of clips.
        frozen (dict[str, str]): Those in evaluation mode.
        unknown (dict[str, str]): Those of unknown classes, which stay as
            they are.
    """
    converted: dict
    frozen: dict
    unknown: dict

    def __str__(self) -> str:
        count = sum(map(len, self))
        if not count:
            return 'the network has no batch norm'
        kinds = list(self.converted.values())
        text = (f'{len(self.converted)} of {count} '
                'batch norms follow the stages')
        if kinds:
            counts = (f'{kinds.count(kind)} {kind}'
                      for kind in dict.fromkeys(kinds))
            text += f' ({", ".join(counts)})'
        if self.frozen:
            text += f'; {len(self.frozen)} are frozen, in evaluation mode'
        if self.unknown:
            text += f'; {len(self.unknown)} are of classes that are not known'
        return text

    def warnings(self) -> List[str]:
        """Warn of unknown classes."""
        if not self.unknown:
            return []
        first = islice(self.unknown.items(), 10)
        names = ', '.join(f'{name} ({kind})' for name, kind in first)
        return [
            f'{len(self.unknown)} batch norms do not follow the stages, whose '
            'batches their statistics are over as a whole, since their '
            f'classes are not known: {names}'
        ]


def norm_report(model: nn.Module) -> NormReport:
    """Sort the batch norms of a converted model in training mode."""
    report = NormReport({}, {}, {})
    for name, module in named_batch_norms(model):
        if not module.training:
            kind = report.frozen
        elif isinstance(module, SubBatchNorm):
            kind = report.converted
        else:
            kind = report.unknown
        kind[name] = type(module).__name__
    return report
