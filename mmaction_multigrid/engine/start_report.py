"""What the log says before a multigrid run begins."""

from typing import List, Mapping

from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook
from mmengine.model import is_model_wrapper

from ..models import smallest_map, temporal_kernel
from ..schedule import crop_warning, data_warnings, frames_warning

LR_RULES = dict(linear='in proportion', sqrt='by its square root', none='not at all')


def plan_lines(runner, about: Mapping) -> List[str]:
    """The run in lines: epochs, updates, cost, batches and lr, validations, checkpoints.

    Args:
        runner (Runner): Its train loop is built.
        about (dict): ``base`` of ``MultigridHook``; may be empty.
    """
    loop, sampler = runner.train_loop, runner.train_loop.dataloader.batch_sampler
    stages, updates = sampler.stages, loop.max_iters
    lines = [f'{loop.max_epochs} epochs in {len(stages)} stages, {updates} iterations']
    if about:
        base = _base_updates(runner, about)
        lines[0] += (f'; base training: {about["max_epochs"]} epochs, {base} iterations. '
                     f'{100 * updates / base:.0f} % of the updates are left, at {100 * about["relative_cost"]:.0f} % of '
                     'the computing')
        largest = max(shape.batch_factor for stage in stages for shape in stage.shapes)
        lines.append(f'batches of up to {largest} times the base batch (max_batch_factor = {about["max_batch_factor"]}); '
                     f'the lr follows the batch {LR_RULES[about["lr_scaling"]]} (lr_scaling = {about["lr_scaling"]!r})')
    evaluations = len(loop.eval_epochs)
    keeper = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    where = f'{evaluations} checkpoints, in {keeper.out_dir or runner.work_dir}' if keeper else 'no checkpoints'
    lines.append(f'{evaluations if runner.val_loop is not None else "no"} validations; {where}')
    return lines


def plan_warnings(runner, about: Mapping) -> List[str]:
    """Everything that speaks against the run, as far as it can be known before; the arguments as above."""
    loop, sampler = runner.train_loop, runner.train_loop.dataloader.batch_sampler
    shapes = sorted({shape for stage in sampler.stages for shape in stage.shapes})
    found = []
    if about:
        found += data_warnings(shapes, sampler.batch_size * get_world_size(), sampler.num_clips * get_world_size(),
                               loop.max_iters, _base_updates(runner, about))
    backbone = getattr(runner.model.module if is_model_wrapper(runner.model) else runner.model, 'backbone', None)
    if backbone is None:
        return found
    smallest = min(shapes, key=lambda shape: (shape.crop_size, shape.num_frames))
    return [*found, *crop_warning(smallest.crop_size, smallest_map(backbone, *smallest[1:])),
            *frames_warning(min(shape.num_frames for shape in shapes), temporal_kernel(backbone))]


def _base_updates(runner, about: Mapping) -> int:
    sampler = runner.train_loop.dataloader.batch_sampler
    return about['max_epochs'] * -(-sampler.num_clips // sampler.batch_size)
