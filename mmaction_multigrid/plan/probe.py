"""One training step of a model at each grid shape, on made-up clips: does it work, and what does it cost?"""

import ctypes
import gc
import math
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Iterable, Iterator, List, Optional, Sequence, Tuple

import torch
from mmaction.registry import MODELS
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn

from ..models import bfloat16, convert_sub_batch_norm, feature_sides, follow_grid, set_bn_splits, temporal_kernel
from ..schedule import MultigridSchedule, Shape, norm_groups, type_name
from .clips import MadeUpClips

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
    """Build a recognizer with random weights: nothing is downloaded.

    Raises:
        ValueError: It is no recognizer, or cannot be built.
    """
    kind = type_name(config.get('type'))
    package = config.get('_scope_', 'mmaction')
    if find_spec(package) is None:
        raise ValueError(f'model.type = {kind!r}: needs {package}, which is '
                         'not installed here')
    try:
        model = MODELS.build(without_weights(config))
    except ImportError:  # its message says what is missing
        raise
    except Exception as error:  # whatever a class makes of its arguments
        raise ValueError(
            f'model.type = {kind!r}: cannot be built here: '
            f'{type(error).__name__}: {error}') from error
    if not hasattr(model, 'cls_head'):
        raise ValueError(f'model.type = {kind!r}: has no cls_head; only '
                         'recognizers can be measured')
    return model


def without_weights(config: Any) -> Any:
    """The config of a model without the files that its weights come from."""
    if isinstance(config, dict):
        kept = {key: without_weights(value) for key, value in config.items() if key != 'init_cfg'}
        return {key: None if key == 'pretrained' else value for key, value in kept.items()}
    return type(config)(map(without_weights, config)) if isinstance(config, (list, tuple)) else config


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
    made_up = MadeUpClips(config, pipeline)
    kernel = temporal_kernel(model)
    wrapper = still_optimizer(model, optim_wrapper, device)
    step = partial(_step, model, wrapper, amp)
    warm = repeats < 2
    for shape in shapes:
        clips = 1 if one_clip else batch_size * shape.batch_factor
        for layer in layers:
            set_bn_splits([layer], norm_groups(clips, batch_size if layer.across_processes else bn_base_size, 1)[0])
        probe = Probe(shape, clips, temporal_kernel=kernel)
        try:
            times: List[Tuple[float, float]] = []
            while len(times) < repeats and not (
                    len(times) > 1 and sum(whole for _, whole in times[compiled:]) > ENOUGH_SECONDS):
                data = made_up.batch(model.cls_head, clips, *shape[1:])
                if not warm:  # what is allocated once is no shape's memory
                    step(data, probe, torch.device(device), False)
                    warm = True
                times.append(step(data, probe, torch.device(device),
                                  not times))
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


def still_optimizer(model: nn.Module, config: Optional[dict],
                    device: str) -> Optional[OptimWrapper]:
    """The optimizer wrapper of a config, at an lr of 0.

    Raises:
        ValueError: It cannot be built.
    """
    if not config:
        return None
    config = dict(config)
    config.pop('accumulative_counts', None)  # every step updates
    if torch.device(device).type == 'cpu' and type_name(
            config.get('type', '')) == 'AmpOptimWrapper':  # it refuses CPUs
        config['type'] = 'OptimWrapper'
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            config.pop(key, None)
    try:
        wrapper = build_optim_wrapper(model, config)
    except Exception as error:  # whatever a class makes of its arguments
        raise ValueError(f'optim_wrapper: cannot be built here: '
                         f'{type(error).__name__}: {error}') from error
    for group in wrapper.param_groups:
        group['lr'] = 0.
    return wrapper


def _step(model: nn.Module, wrapper: Optional[OptimWrapper], amp: bool,
          data: dict, probe: Probe, device: torch.device,
          first: bool) -> Tuple[float, float]:
    """Make a step; seconds of its forward, and in all.

    Only the first one's memory is measured: that takes from the process all
    memory that is free, and getting it back costs a third of a step's time.
    """
    seen: List[int] = []
    hook = model.cls_head.register_forward_pre_hook(
        lambda _, args: seen.extend(feature_sides(args[0])))
    try:
        memory = PeakMemory(device) if first else None
        begin = time.perf_counter()
        data = model.data_preprocessor(data, True)
        with ExitStack() as contexts:
            if wrapper:
                contexts.enter_context(wrapper.optim_context(model))
            if amp:
                contexts.enter_context(bfloat16(model))
            loss, _ = model.parse_losses(model(**data, mode='loss'))
        probe.loss = float(loss.detach())  # waits for the device
        forward = time.perf_counter() - begin
        if wrapper:
            wrapper.update_params(loss)
        else:
            loss.backward()
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
