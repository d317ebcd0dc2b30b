"""Training steps at grid shapes, on made-up clips."""

import math
import time
from dataclasses import dataclass
from statistics import median
from typing import Iterable, Iterator, List, Optional, Sequence, Tuple

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from ..models import (
    convert_sub_batch_norm,
    feature_sides,
    follow_grid,
    set_bn_splits,
    temporal_kernel,
)
from ..schedule import MultigridSchedule, Shape, norm_groups
from .build import build_model, still_optimizer
from .clips import MadeUpClips

ENOUGH_SECONDS = 5.


@dataclass
class Probe:
    """What a training step at one shape did.

    Attributes:
        shape (Shape): The shape.
        clips (int): Clips in the batch.
        seconds (float): Forward, backward and update; the median of the
            repeats after the first. NaN after an error.
        forward_seconds (float): Of it, forward.
        peak_memory (int, optional): Bytes of the GPU at the peak beyond those
            before the step; None on a CPU.
        loss (float): The loss; NaN after an error.
        feature_size (int, optional): Shorter side of the smallest feature map
            that the head sees, in positions.
        temporal_kernel (int): Frames of the network's longest convolution.
        error (str, optional): First line of what went wrong.
    """
    shape: Shape
    clips: int
    seconds: float = math.nan
    forward_seconds: float = math.nan
    peak_memory: Optional[int] = None
    loss: float = math.nan
    feature_size: Optional[int] = None
    temporal_kernel: int = 1
    error: Optional[str] = None

    @property
    def works(self) -> bool:
        """Whether the step ran and its loss is finite."""
        return self.error is None and math.isfinite(self.loss)


def coarse_to_fine(shapes: Iterable[Shape]) -> List[Shape]:
    """The shapes in order, each once."""
    return sorted(set(shapes), key=lambda shape: (
        shape.num_frames, shape.crop_size, -shape.batch_factor))


def schedule_shapes(schedule: MultigridSchedule) -> List[Shape]:
    """Every shape of a schedule and the base shape, coarse to fine."""
    return coarse_to_fine([schedule.base.shape, *(
        shape for stage in schedule.stages for shape in stage.shapes)])


def probe_shapes(config: dict, shapes: Iterable[Shape], batch_size: int,
                 bn_base_size: int = 8, device: str = 'cpu', repeats: int = 6,
                 optim_wrapper: Optional[dict] = None,
                 pipeline: Sequence[dict] = ()) -> Iterator[Probe]:
    """Run one training step, a few times, at every shape.

    Args:
        config: ``model`` of a config.
        shapes: The shapes.
        batch_size: Base batch.
        bn_base_size: Clips over which batch-norm statistics are computed.
        device: Where to run.
        repeats: Times at the most; fewer, but two, where five seconds are
            over. The median of all but the first counts.
        optim_wrapper: Of a config. None: plain SGD.
        pipeline: The config's train pipeline, which says how clips are
            sampled and formatted. Empty: as for a 3D network.

    Raises:
        ValueError: The model or its optimizer cannot be built.
    """
    model = build_model(config).to(device).train()
    layers = convert_sub_batch_norm(model)
    follow_grid(model)
    steps = _Steps(model, still_optimizer(model, optim_wrapper, device),
                   MadeUpClips(config, pipeline), torch.device(device))
    for shape in shapes:
        clips = batch_size * shape.batch_factor
        for layer in layers:
            group = batch_size if layer.across_processes else bn_base_size
            set_bn_splits([layer], norm_groups(clips, group, 1)[0])
        yield steps.probe(shape, clips, repeats)


class _Steps:
    """Makes training steps on made-up clips.

    Args:
        model: The network, in training mode on its device.
        wrapper: Its optimizer.
        made_up: Its clips.
        device: Where it is.
    """

    def __init__(self, model: nn.Module, wrapper: OptimWrapper,
                 made_up: MadeUpClips, device: torch.device) -> None:
        self.model, self.wrapper = model, wrapper
        self.made_up, self.device = made_up, device
        self.on_gpu = device.type == 'cuda'
        self.kernel, self.warm = temporal_kernel(model), False
        self.seen: List[int] = []
        model.cls_head.register_forward_pre_hook(
            lambda _, args: self.seen.extend(feature_sides(args[0])))

    def probe(self, shape: Shape, clips: int, repeats: int) -> Probe:
        """Make a few steps at a shape; the first is not counted."""
        probe = Probe(shape, clips, temporal_kernel=self.kernel)
        self.seen.clear()
        try:
            if not self.warm:
                self._step(probe, self._batch(probe))  # allocates once
                self.warm = True
            data = self._batch(probe)
            if self.on_gpu:
                torch.cuda.reset_peak_memory_stats(self.device)
                before = torch.cuda.memory_allocated(self.device)
            times, begin = [self._step(probe, data)], time.perf_counter()
            if self.on_gpu:
                probe.peak_memory = torch.cuda.max_memory_allocated(
                    self.device) - before
            while len(times) < repeats and (
                    len(times) == 1
                    or time.perf_counter() - begin < ENOUGH_SECONDS):
                times.append(self._step(probe, self._batch(probe)))
            probe.forward_seconds, probe.seconds = map(
                median, zip(*(times[1:] or times)))
        except Exception as error:  # a shape that the network cannot take
            text = str(error).strip() or 'no message'
            probe.error = f'{type(error).__name__}: {text}'.splitlines()[0]
            self.model.zero_grad(set_to_none=True)
        probe.feature_size = min(self.seen, default=None)
        return probe

    def _batch(self, probe: Probe) -> dict:
        return self.made_up.batch(self.model.cls_head, probe.clips,
                                  *probe.shape[1:])

    def _step(self, probe: Probe, data: dict) -> Tuple[float, float]:
        """Make a step; seconds of its forward, and in all."""
        model, begin = self.model, time.perf_counter()
        data = model.data_preprocessor(data, True)
        with self.wrapper.optim_context(model):
            loss = model.parse_losses(model(**data, mode='loss'))[0]
        probe.loss = float(loss.detach())  # waits for the device
        forward = time.perf_counter() - begin
        self.wrapper.update_params(loss)
        if self.on_gpu:
            torch.cuda.synchronize(self.device)
        seconds = time.perf_counter() - begin
        model.zero_grad(set_to_none=True)
        return forward, seconds
