"""Read the clip shape of train pipelines, and wrap their transforms."""

from typing import Any, List, Mapping, Optional, Sequence, Tuple

from ..core.batch_sampler import is_positive_int
from ..core.transform_rules import find_rule, transform_name
from .settings import check_count


def wrap(step: dict, segments: bool = False) -> dict:
    """Wrap the config of a transform that differs between shapes.

    Raises:
        ValueError: The transform has no rule.
    """
    rule = find_rule(step)
    if not rule.depends_on_shape:
        return step
    options = dict(segments=True) if segments and rule.segments else {}
    return dict(type='MultigridTransform', transform=step, **options)


def wrap_pipeline(pipeline: Sequence[dict],
                  segments: bool = False) -> List[dict]:
    """Wrap the transforms of a pipeline.

    Coarse frames are cropped before they are resized where the steps
    behind the decoder allow it.

    Args:
        pipeline (Sequence[dict]): The transforms.
        segments (bool): Whether the frames of a shape are segments. Defaults
            to False.

    Raises:
        ValueError: A transform has no rule.
    """
    # Decoders of poses have no `decodes`: key points cannot be cropped
    # lazily. Without a decoder begin is -1.
    begin = 1 + next(
        (i for i, step in enumerate(pipeline) if find_rule(step).decodes), -2)
    end = begin
    while (0 < end < len(pipeline) and find_rule(pipeline[end]).lazy
           and 'lazy' not in pipeline[end]):
        end += 1
    fused = pipeline[begin:end] if begin > 0 else []
    # Fuse crops before it resizes, which saves time only if the pipeline does
    # both.
    if len({transform_name(step) == 'Resize' for step in fused}) < 2:
        return [wrap(step, segments) for step in pipeline]
    return [
        *(wrap(step, segments) for step in pipeline[:begin]),
        *(dict(type='MultigridTransform', transform=s, lazy=True)
          for s in fused),
        dict(type='FuseOnGrid'), *map(wrap, pipeline[end:])
    ]


def has_segments(dataset: Mapping) -> bool:
    """Check whether segments are the time axis of a dataset's clips.

    They are for 2D networks, which take one frame of each segment, or a stack
    of frames of optical flow as channels of one image.
    """
    pipeline = dataset['pipeline']
    # This refuses what is no transform.
    rules = list(map(find_rule, pipeline))
    if all(step.get('input_format') != 'NCHW' for step in pipeline):
        return False
    return dataset.get('modality') == 'Flow' or any(
        step.get('clip_len') == 1 and rule.segments
        for step, rule in zip(pipeline, rules))


def read_crop(pipeline: Sequence[dict]) -> Any:
    """Return the crop that a pipeline ends with; None without any."""
    crop = None
    for step in pipeline:
        rule, name = find_rule(step), transform_name(step)
        if rule.crops:
            crop = step.get(rule.pixels[-1])
        # Transforms after the last crop may change the size again.
        elif name == 'Resize':
            crop = None if step.get('keep_ratio', True) else step['scale']
        elif name in ('RandomRescale', 'RandomResizedCrop'):
            crop = None
    return crop


def read_clip_shape(pipeline: Sequence[dict],
                    segments: bool = False) -> Tuple[int, int, Optional[int]]:
    """Read the shape of a pipeline's clips.

    Args:
        pipeline (Sequence[dict]): The transforms.
        segments (bool): Whether to count segments as frames. Defaults to
            False.

    Returns:
        tuple: Frames, crop (the shorter side in pixels) and frame
        interval, which is None where there is none.

    Raises:
        ValueError: The pipeline samples no frames, a transform has no rule,
            or the clips have no fixed size.
    """
    crop, interval = read_crop(pipeline), None
    step = next((step for step in pipeline if find_rule(step).frames), None)
    if step is None:
        raise ValueError(
            'the train pipeline samples no frames: multigrid needs one '
            'of SampleFrames, DenseSampleFrames, UniformSample, or a '
            'transform whose registered rule names its frames')
    rule = find_rule(step)
    frames = step.get(rule.segments, 1) if segments else step.get(
        rule.frames[0])
    # Pipelines of several modalities sample a dict of frames.
    lengths = list(frames.values()) if isinstance(frames, dict) else [frames]
    for length in lengths or [None]:
        check_count('frames of a clip in the train pipeline', length)
    if rule.frame_interval and not segments:
        interval = step.get(rule.frame_interval, rule.default_interval)
        check_count('frame interval of the train pipeline', interval)
    crop = crop if isinstance(crop, (list, tuple)) else [crop]
    if not crop or not all(map(is_positive_int, crop)):
        raise ValueError('the clips of the train pipeline have no fixed size: '
                         'multigrid needs a crop, or a Resize with '
                         'keep_ratio=False, at its end, of integers of at '
                         f'least 1, and found {crop!r}')
    return max(lengths), min(crop), interval
