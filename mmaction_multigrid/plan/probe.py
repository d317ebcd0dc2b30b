"""One training step of a model at each grid shape, on made-up clips: does it work, and what does it cost?"""

import ctypes
import gc
import math
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Callable, Iterable, Iterator, List, Optional, Tuple

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import nn

from ..models import bfloat16, convert_sub_batch_norm, feature_sides, follow_grid, set_bn_splits, temporal_kernel
from ..schedule import MultigridSchedule, Shape, norm_groups, type_name

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


def build_model(config: dict) -> nn.Module:
    """Build a recognizer with random weights: nothing is downloaded."""
    return MODELS.build(without_weights(config))


def without_weights(config: Any) -> Any:
    """The config of a model without the files that its weights come from."""
    if isinstance(config, dict):
        kept = {key: without_weights(value) for key, value in config.items() if key != 'init_cfg'}
        return {key: None if key == 'pretrained' else value for key, value in kept.items()}
    return type(config)(map(without_weights, config)) if isinstance(config, (list, tuple)) else config


def synthetic_batch(model: nn.Module, channels: int, clips: int, num_frames: int, crop_size: int) -> dict:
    """A batch of noise with random labels, as a data loader would yield it."""
    head = model.cls_head
    samples = []
    for _ in range(clips):
        label = torch.randint(head.num_classes, (1, ))
        if getattr(head, 'multi_class', False):
            label = nn.functional.one_hot(label[0], head.num_classes).float()
        sample = ActionDataSample()
        (sample.set_gt_label if hasattr(sample, 'set_gt_label') else sample.set_gt_labels)(label)  # the latter in 1.1
        samples.append(sample)
    # Colours last in memory, as pipelines leave them: convolutions choose their kernel by it.
    inputs = [torch.randint(256, (1, num_frames, crop_size, crop_size, channels), dtype=torch.uint8).movedim(-1, 1)
              for _ in range(clips)]
    return dict(inputs=inputs, data_samples=samples)


def probe_shapes(config: dict, shapes: Iterable[Shape], batch_size: int, bn_base_size: int = 8, device: str = 'cpu',
                 repeats: int = 6, one_clip: bool = False, amp: bool = False,
                 optim_wrapper: Optional[dict] = None, compiled: bool = False) -> Iterator[Probe]:
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
        optim_wrapper: Of a config; its optimizer makes an update in each step, by nothing. None: no update is made.
        compiled: Compile the backbone, anew for every shape, as ``CompileBackboneHook`` does.
    """
    model = build_model(config).to(device).train()
    layers = _prepare(model, compiled)
    preprocessor = config.get('data_preprocessor') or {}
    channels = len(preprocessor.get('mean') or ()) or config['backbone'].get('in_channels', 3)
    kernel = temporal_kernel(model)
    update = _make_update(model, optim_wrapper) if optim_wrapper else lambda: None
    for shape in shapes:
        clips = 1 if one_clip else batch_size * shape.batch_factor
        for layer in layers:
            set_bn_splits([layer], norm_groups(clips, batch_size if layer.across_processes else bn_base_size, 1)[0])
        probe = Probe(shape, clips, temporal_kernel=kernel)
        try:
            times: List[Tuple[float, float]] = []
            while len(times) < repeats and not (
                    len(times) > 1 and sum(whole for _, whole in times[compiled:]) > ENOUGH_SECONDS):
                times.append(_step(model, channels, probe, torch.device(device), amp, update, not times))
            forward, whole = zip(*(times[1:] or times))
            probe.forward_seconds, probe.seconds = median(forward), median(whole)
        except Exception as error:  # whatever a model does with a shape that it cannot take
            probe.error = f'{type(error).__name__}: {str(error).strip() or "no message"}'.splitlines()[0]
        yield probe


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


def _make_update(model: nn.Module, config: dict) -> Callable[[], None]:
    """An update of a model by its config's optimizer, at an lr of 0."""
    options = {key: value for key, value in config['optimizer'].items() if key != 'type'}
    optimizer = getattr(torch.optim, type_name(config['optimizer'].get('type', 'SGD')), torch.optim.SGD)(
        model.parameters(), **{**options, 'lr': 0.})
    clip = config.get('clip_grad') or {}

    def update() -> None:
        if 'max_norm' in clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip['max_norm'], clip.get('norm_type', 2))
        optimizer.step()

    return update


def _step(model: nn.Module, channels: int, probe: Probe, device: torch.device, amp: bool,
          update: Callable[[], None], first: bool) -> Tuple[float, float]:
    """Make a step; seconds of its forward, and in all. Only the first one's memory is measured: that takes from the
    process all memory that is free, and getting it back costs the step a third of its time."""
    seen: List[int] = []
    hook = model.cls_head.register_forward_pre_hook(lambda _, args: seen.extend(feature_sides(args[0])))
    try:
        data = synthetic_batch(model, channels, probe.clips, *probe.shape[1:])
        memory = PeakMemory(device) if first else None
        begin = time.perf_counter()
        data = model.data_preprocessor(data, True)
        with bfloat16(model) if amp else nullcontext():
            loss, _ = model.parse_losses(model(**data, mode='loss'))
        probe.loss = float(loss.detach())  # waits for the device
        forward = time.perf_counter() - begin
        loss.backward()
        update()
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        seconds = time.perf_counter() - begin
        if memory:
            probe.peak_memory = memory.read()
    finally:
        hook.remove()
        model.zero_grad(set_to_none=True)
    probe.feature_size = min(seen, default=None)
    return forward, seconds


class PeakMemory:
    """Peak memory beyond what was in use when it was made: of the GPU, or, on Linux, of this process."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            self.before: Optional[int] = torch.cuda.memory_allocated(device)
        else:
            self.before = self._reset()

    @staticmethod
    def _reset() -> Optional[int]:
        gc.collect()
        # What earlier steps freed stays with the process until it is handed back, and would hide what this one takes.
        with suppress(AttributeError, OSError):  # a C library other than glibc
            ctypes.CDLL(None).malloc_trim(0)
        try:
            Path('/proc/self/clear_refs').write_text('5')  # proc(5): resets the peak resident set size
        except OSError:
            return None
        return _status('VmRSS')

    def read(self) -> Optional[int]:
        """Bytes, or None where the system does not tell."""
        if self.before is None:
            return None
        peak = torch.cuda.max_memory_allocated(self.device) if self.device.type == 'cuda' else _status('VmHWM')
        return None if peak is None else max(0, peak - self.before)


def _status(key: str) -> Optional[int]:
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(f'{key}:'):
            return 1024 * int(line.split()[1])
    return None
