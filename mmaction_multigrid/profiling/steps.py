"""Measure the time and memory of training steps, and the time of loading."""

import math
import random
import time
from dataclasses import dataclass
from statistics import median
from typing import (Callable, Dict, Iterable, Iterator, List, Optional,
                    Sequence, Tuple)

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from torch import nn

from mmaction.registry import DATASETS
from ..config import apply_multigrid
from ..core.batch_norm import convert_sub_batch_norm, set_bn_splits
from ..core.hook import bn_groups
from ..core.schedule import MultigridSchedule
from ..core.shapes import Shape
from ..models.input_sizes import min_feature_size, temporal_kernel
from ..models.positions import interpolate_pos_embeds
from .network import RandomClips, build_model, build_optimizer
from .warnings import clip_warnings

# Limits of the time spent at one shape on steps and on loading.
STEP_SECONDS = 5.
LOAD_SECONDS = 2.
CLIPS = 32  # clips to load at each shape, if the time allows


@dataclass
class StepProfile:
    """Time, memory and loss of a training step at one shape.

    Attributes:
        shape (Shape): The shape.
        clips (int): Clips in the batch.
        seconds (float): Time of forward, backward and optimizer; the median
            of the repeats after the first. NaN after an error.
        peak_memory (int, optional): Peak memory of the GPU in bytes; None on
            a CPU.
        loss (float): The loss; NaN after an error.
        warnings (list[str]): Warnings of a shape that is small for the
            network.
        error (str, optional): First line of an error of the step.
    """
    shape: Shape
    clips: int
    seconds: float = math.nan
    peak_memory: Optional[int] = None
    loss: float = math.nan
    warnings: Sequence[str] = ()
    error: Optional[str] = None

    @property
    def works(self) -> bool:
        """bool: Whether the step ran and its loss is finite."""
        return self.error is None and math.isfinite(self.loss)


def schedule_shapes(schedule: MultigridSchedule) -> List[Shape]:
    """List the shapes of a schedule and the base shape, coarse to fine."""
    shapes = {
        schedule.base.shape,
        *(shape for stage in schedule.stages for shape in stage.shapes)
    }
    return sorted(shapes, key=lambda shape: (shape[1:], -shape.batch_factor))


def profile_steps(config: dict,
                  shapes: Iterable[Shape],
                  batch_size: int,
                  bn_base_size: int = 8,
                  device: str = 'cpu',
                  repeats: int = 6,
                  optim_wrapper: Optional[dict] = None,
                  pipeline: Sequence[dict] = (),
                  compile_backend: Optional[str] = None
                  ) -> Iterator[StepProfile]:
    """Run training steps at shapes, on random clips.

    Args:
        config (dict): ``model`` of a config.
        shapes (Iterable[Shape]): The shapes.
        batch_size (int): Base batch in clips.
        bn_base_size (int): Clips of batch-norm statistics. Defaults to 8.
        device (str): Device of the steps. Defaults to ``'cpu'``.
        repeats (int): The largest number of steps at a shape. Defaults to 6.
        optim_wrapper (dict, optional): ``optim_wrapper`` of the config.
            Defaults to plain SGD.
        pipeline (Sequence[dict]): See :class:`.network.RandomClips`. Defaults
            to an empty one.
        compile_backend (str, optional): Backend of ``torch.compile`` for the
            network's backbone. Defaults to None: it is not compiled.

    Yields:
        StepProfile: The profile of each shape.

    Raises:
        ValueError: The model is neither a recognizer nor a detector.
    """
    model = build_model(config).to(device).train()
    layers = convert_sub_batch_norm(model)
    interpolate_pos_embeds(model)
    if compile_backend:
        model.backbone.compile(backend=compile_backend, dynamic=False)
    wrapper = build_optimizer(model, optim_wrapper, device)
    clips = RandomClips(model, pipeline)
    for shape in shapes:
        profile = StepProfile(shape, batch_size * shape.batch_factor)
        for layer in layers:
            group = batch_size if layer.synced else bn_base_size
            set_bn_splits([layer], bn_groups(profile.clips, group, 1)[0])
        _run_steps(profile, model, wrapper, clips, repeats)
        profile.warnings = clip_warnings(
            *shape[1:], min_feature_size(model.backbone, *shape[1:]),
            temporal_kernel(model))
        yield profile


def _run_steps(profile: StepProfile, model: nn.Module, wrapper: OptimWrapper,
               clips: RandomClips, repeats: int) -> None:
    """Fill in a profile."""
    device = next(model.parameters()).device
    times: List[float] = []
    try:
        # The first step also chooses algorithms and fills caches, so that at
        # least two are made.
        while len(times) < repeats and (len(times) < 2
                                        or sum(times) < STEP_SECONDS):
            data = clips.batch(profile.clips, *profile.shape[1:])
            if device.type == 'cuda':
                torch.cuda.reset_peak_memory_stats(device)
            begin = time.perf_counter()
            loss = model.train_step(data, wrapper)['loss']
            profile.loss = loss.item()  # waits until the GPU has finished
            times.append(time.perf_counter() - begin)
            if device.type == 'cuda':
                profile.peak_memory = torch.cuda.max_memory_allocated(device)
        profile.seconds = median(times[1:] or times)
    except Exception as error:  # networks raise errors of any type
        profile.error = f'{type(error).__name__}: {error}'.splitlines()[0]
        # The next shape must not pay for gradients that are left over.
        model.zero_grad(set_to_none=True)


def load_seconds(cfg: Config,
                 shapes: Iterable[Shape]) -> Dict[Tuple[int, int], float]:
    """Measure how long one process takes to load a clip.

    Args:
        cfg (Config): A multigrid config.
        shapes (Iterable[Shape]): Shapes of clips.

    Returns:
        dict: Seconds by (frames, crop).

    Raises:
        Exception: Any error of the dataset, such as that of a missing file.
    """
    dataset = DATASETS.build(apply_multigrid(cfg).train_dataloader.dataset)
    # The same clips at all shapes, because videos differ in length. A seed of
    # its own keeps the global random numbers as they are.
    order = random.Random(0).choices(range(len(dataset)), k=CLIPS + 1)
    return {
        shape[1:]:
        _mean_seconds(lambda i, shape=shape: dataset[i, shape], order)
        for shape in shapes
    }


def _mean_seconds(load: Callable[[int], dict], order: List[int]) -> float:
    load(order[0])  # opens and builds what later clips share
    begin, times = time.perf_counter(), [0.]
    for index in order[1:]:
        if times[-1] < LOAD_SECONDS:
            pseudo_collate([load(index)])
            times.append(time.perf_counter() - begin)
    return times[-1] / (len(times) - 1)
