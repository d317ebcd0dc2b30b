"""One training step of a model at each grid shape, on made-up clips: does it work, and what does it cost?"""

import math
import time
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, Iterable, Iterator, List, Optional, Sequence, Tuple

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from ..models import bfloat16, convert_sub_batch_norm, feature_sides, follow_grid, set_bn_splits, temporal_kernel
from ..schedule import MultigridSchedule, Shape, norm_groups
from .build import build_model, still_optimizer
from .clips import MadeUpClips
from .memory import PeakMemory

ENOUGH_SECONDS = 5.


@dataclass
class Probe:
    """What a training step at one shape did.

    Attributes:
        shape (Shape): The shape.
        clips (int): Clips in the batch.
        seconds (float): Forward, backward and update; the median of the repeats after the first. NaN after an error.
        forward_seconds (float): Of it, forward.
        peak_memory (int, optional): Bytes at the peak beyond those before the step; None where it cannot be told.
        loss (float): The loss; NaN after an error.
        feature_size (int, optional): Shorter side of the smallest feature map that the head sees, in positions.
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


def probe_shapes(config: dict, shapes: Iterable[Shape], batch_size: int, bn_base_size: int = 8, device: str = 'cpu',
                 repeats: int = 6, one_clip: bool = False, amp: bool = False,
                 optim_wrapper: Optional[dict] = None, compiled: bool = False,
                 pipeline: Sequence[dict] = ()) -> Iterator[Probe]:
    """Run one training step, a few times, at every shape.

    Args:
        config: ``model`` of a config.
        shapes: The shapes, each of a cost that ``batch_size`` base clips have.
        batch_size: Base batch.
        bn_base_size: Clips over which batch-norm statistics are computed.
        device: Where to run.
        repeats: Times at the most; fewer, but two, where five seconds are over. The median counts, of all but the first,
            which allocates and compiles.
        one_clip: Run a single clip instead of the shape's batch, to see only whether the shape works.
        amp: Run in mixed precision, in bfloat16.
        optim_wrapper: Of a config; it makes an update in each step, by
            nothing. None: no update is made.
        compiled: Compile the backbone, anew for every shape, as ``CompileBackboneHook`` does.
        pipeline: The config's train pipeline, which says how clips are
            sampled and formatted. Empty: as for a 3D network.

    Raises:
        ValueError: The model or its optimizer cannot be built.
    """
    model = build_model(config).to(device).train()
    layers = _prepare(model, compiled)
    steps = _Steps(model, MadeUpClips(config, pipeline),
                   still_optimizer(model, optim_wrapper, device),
                   torch.device(device), amp)
    for shape in shapes:
        clips = 1 if one_clip else batch_size * shape.batch_factor
        for layer in layers:
            set_bn_splits([layer], norm_groups(clips, batch_size if layer.across_processes else bn_base_size, 1)[0])
        yield steps.probe(shape, clips, repeats, compiled)


def _prepare(model: nn.Module, compiled: bool) -> List[nn.Module]:
    """Have a model follow the shapes, its backbone compiled or not; its norm layers that do."""
    layers = convert_sub_batch_norm(model)
    follow_grid(model)
    if compiled:
        torch._dynamo.config.cache_size_limit = 2**10  # a graph for every shape
        model.backbone.compile(dynamic=False)
    return layers


def schedule_shapes(schedule: MultigridSchedule) -> List[Shape]:
    """Every shape of a schedule and the base shape, coarse to fine."""
    return sorted({shape for stage in schedule.stages for shape in stage.shapes} | {schedule.base.shape},
                  key=lambda shape: (shape.num_frames, shape.crop_size, -shape.batch_factor))


def probe_schedule(config: dict, schedule: MultigridSchedule, batch_size: int, device: str = 'cpu',
                   **options: Any) -> Iterator[Probe]:
    """Run one training step, a few times, at every shape of a schedule; the arguments as above."""
    return probe_shapes(config, schedule_shapes(schedule), batch_size, schedule.settings.bn_clips(batch_size), device,
                        **options)


class _Steps:
    """Makes training steps on made-up clips.

    Args:
        model: The network, in training mode on its device.
        made_up: Its clips.
        wrapper: Its optimizer, if updates are made.
        device: Where it is.
        amp: Run it in bfloat16.
    """

    def __init__(self, model: nn.Module, made_up: MadeUpClips,
                 wrapper: Optional[OptimWrapper], device: torch.device,
                 amp: bool) -> None:
        self.model, self.made_up, self.wrapper = model, made_up, wrapper
        self.device, self.amp = device, amp
        self.warm = False

    def probe(self, shape: Shape, clips: int, repeats: int,
              compiled: bool) -> Probe:
        """Make a few steps at a shape; the first is not counted."""
        kernel = temporal_kernel(self.model)
        probe = Probe(shape, clips, temporal_kernel=kernel)
        try:
            if repeats > 1 and not self.warm:
                self._step(probe, False)  # allocates once what no shape needs
                self.warm = True
            times = [self._step(probe, True)]
            spent = 0. if compiled else times[0][1]
            while len(times) < repeats and (
                    len(times) < 2 or spent <= ENOUGH_SECONDS):
                times.append(self._step(probe, False))
                spent += times[-1][1]
            forward, whole = zip(*(times[1:] or times))
            probe.forward_seconds = median(forward)
            probe.seconds = median(whole)
        except Exception as error:  # a shape that the network cannot take
            text = str(error).strip() or 'no message'
            probe.error = f'{type(error).__name__}: {text}'.splitlines()[0]
        return probe

    def _step(self, probe: Probe, measured: bool) -> Tuple[float, float]:
        """Make a step; seconds of its forward, and in all.

        To measure its memory takes from the process all that is free, and
        getting it back costs a third of a step's time.
        """
        seen: List[int] = []
        model = self.model
        hook = model.cls_head.register_forward_pre_hook(
            lambda _, args: seen.extend(feature_sides(args[0])))
        try:
            data = self.made_up.batch(model.cls_head, probe.clips,
                                      *probe.shape[1:])
            memory = PeakMemory(self.device) if measured else None
            begin = time.perf_counter()
            data = model.data_preprocessor(data, True)
            loss = self._loss(data)
            probe.loss = float(loss.detach())  # waits for the device
            forward = time.perf_counter() - begin
            if self.wrapper:
                self.wrapper.update_params(loss)
            else:
                loss.backward()
            if self.device.type == 'cuda':
                torch.cuda.synchronize(self.device)
            seconds = time.perf_counter() - begin
            if memory:
                probe.peak_memory = memory.read()
        finally:
            hook.remove()
            model.zero_grad(set_to_none=True)
        probe.feature_size = min(seen, default=None)
        return forward, seconds

    def _loss(self, data: dict) -> torch.Tensor:
        with ExitStack() as contexts:
            if self.wrapper:
                contexts.enter_context(self.wrapper.optim_context(self.model))
            if self.amp:
                contexts.enter_context(bfloat16(self.model))
            losses = self.model(**data, mode='loss')
            return self.model.parse_losses(losses)[0]
