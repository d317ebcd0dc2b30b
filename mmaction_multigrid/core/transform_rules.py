"""Rules for the transforms of a train pipeline: pixels, frames, files.

A transform without a rule cannot be trained with.
:func:`register_transform_rule` adds one.
"""

from dataclasses import dataclass
from math import isinf
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .dataset import ClipShape
from .shapes import frame_interval_range

# Readers of videos number the frames of a file; 'frames' is a folder.
VIDEO_READERS = ('decord', 'pyav', 'opencv')
READERS = (*VIDEO_READERS, 'frames')


@dataclass(frozen=True)
class TransformRule:
    """Meaning of a transform's arguments.

    Attributes:
        pixels (tuple[str]): Arguments in pixels: a number or a tuple of
            them. -1 and inf stay as they are.
        frames (tuple[str]): Arguments in frames.
        segments (str, optional): Argument that counts the segments of a
            video. It changes in place of ``frames`` where these are the time
            axis of the network.
        frame_interval (str, optional): Argument that is drawn at random for a
            clip of fewer frames.
        default_interval (int): Value of ``frame_interval`` if the config
            omits it. Defaults to 1.
        crops (bool): Whether the last argument in pixels is the size of the
            output.
        lazy (bool): Whether the transform takes ``lazy=True`` and leaves its
            work to MMAction2's ``Fuse``.
        does_io (bool): Whether the transform opens or decodes the file of a
            clip. Any error of it then means that the file is broken.
        opens (str, optional): Reader that the transform opens the video with:
            one of ``VIDEO_READERS`` or ``'pims'``. Implies ``does_io``.
        decodes (str, optional): Reader that the images come from: one of
            ``READERS``, or ``'images'`` for any other. Implies ``does_io``.
    """
    pixels: Tuple[str, ...] = ()
    frames: Tuple[str, ...] = ()
    segments: Optional[str] = None
    frame_interval: Optional[str] = None
    default_interval: int = 1
    crops: bool = False
    lazy: bool = False
    does_io: bool = False
    opens: Optional[str] = None
    decodes: Optional[str] = None

    def __post_init__(self) -> None:
        for key, value, known in (('opens', self.opens, (*VIDEO_READERS,
                                                         'pims')),
                                  ('decodes', self.decodes, (*READERS,
                                                             'images'))):
            if value is not None and value not in known:
                raise ValueError(
                    f'{key} = {value!r}: must be one of {", ".join(known)}')
            if value is not None:
                # The dataclass is frozen and refuses plain assignment.
                object.__setattr__(self, 'does_io', True)

    @property
    def depends_on_shape(self) -> bool:
        """bool: Whether the transform differs between shapes."""
        return bool(self.pixels or self.frames or self.frame_interval)

    def variants(self,
                 args: dict,
                 shape: ClipShape,
                 segments: bool = False) -> List[dict]:
        """List the transform's arguments for a shape.

        Args:
            args (dict): The arguments at the base shape.
            shape (ClipShape): The shape.
            segments (bool): Whether the frames of a shape are segments.
                Defaults to False.

        Returns:
            list[dict]: One dict of arguments, or several, one for each
            frame interval that a clip may draw.
        """
        scaled = dict(args)
        for name in self.pixels:
            if name in args:
                scaled[name] = scale_pixels(args[name],
                                            shape.crop_size / shape.base_crop)
        for name in (self.segments, ) if segments else self.frames:
            if name in args:
                scaled[name] = scale_frames(args[name], shape)
        if segments or self.frame_interval is None:
            return [scaled]
        low, high = frame_interval_range(
            args.get(self.frame_interval, self.default_interval),
            shape.base_frames, shape.num_frames)
        if low == high:
            return [scaled]
        return [{
            **scaled, self.frame_interval: interval
        } for interval in range(low, high + 1)]


def scale_pixels(value: Any, ratio: float) -> Any:
    """Scale a size in pixels, or each of a sequence (paper, section 3.2).

    A pair of rising sizes, which is a range to draw from, stays rising.
    """
    if isinstance(value, (list, tuple)):
        scaled = [scale_pixels(number, ratio) for number in value]
        # Rounding can make a narrow range empty, from which nothing could be
        # drawn.
        if (len(scaled) == 2 and 0 < value[0] < value[1]
                and scaled[0] >= scaled[1]):
            scaled[1] = scaled[0] + 1
        return type(value)(scaled)
    # -1 stands for the other side in proportion, inf for no limit.
    if isinstance(value, bool) or value is None or value <= 0 or isinf(value):
        return value
    scaled = value * ratio
    return scaled if isinstance(value, float) else max(1, int(round(scaled)))


def scale_frames(value: Any, shape: ClipShape) -> Any:
    """Scale a number of frames, or each value of a dict of them."""
    if isinstance(value, dict):
        return type(value)({
            key: scale_frames(number, shape)
            for key, number in value.items()
        })
    return max(1, int(round(value * shape.num_frames / shape.base_frames)))


def _sampler(**kwargs) -> TransformRule:
    return TransformRule(
        frames=('clip_len', ),
        segments='num_clips',
        frame_interval='frame_interval',
        does_io=True,
        **kwargs)


_UNIFORM = TransformRule(
    frames=('clip_len', ), segments='num_clips', does_io=True)
_CROP = TransformRule(pixels=('crop_size', ), crops=True)
_READER = TransformRule(does_io=True)
_ANY_SHAPE = TransformRule()

# By registered name. A transform that is missing here is an error, because a
# guess could leave frames or pixels at the base shape.
RULES: Dict[str, TransformRule] = dict(
    SampleFrames=_sampler(),
    DenseSampleFrames=_sampler(),
    SampleAVAFrames=_sampler(default_interval=2),
    UniformSample=_UNIFORM,
    UniformSampleFrames=_UNIFORM,
    MMUniformSampleFrames=_UNIFORM,
    DecordInit=TransformRule(opens='decord'),
    DecordDecode=TransformRule(decodes='decord'),
    PyAVInit=TransformRule(opens='pyav'),
    PyAVDecode=TransformRule(decodes='pyav'),
    OpenCVInit=TransformRule(opens='opencv'),
    OpenCVDecode=TransformRule(decodes='opencv'),
    PIMSInit=TransformRule(opens='pims'),
    PIMSDecode=TransformRule(decodes='images'),
    RawFrameDecode=TransformRule(decodes='frames'),
    ImageDecode=TransformRule(decodes='images'),
    ArrayDecode=TransformRule(decodes='images'),
    PoseDecode=_READER,
    DecompressPose=_READER,
    MMDecode=_READER,
    Resize=TransformRule(pixels=('scale', ), lazy=True),
    RandomRescale=TransformRule(pixels=('scale_range', )),
    RandomCrop=TransformRule(pixels=('size', ), crops=True, lazy=True),
    CenterCrop=TransformRule(pixels=('crop_size', ), crops=True, lazy=True),
    ThreeCrop=_CROP,
    TenCrop=_CROP,
    MultiScaleCrop=TransformRule(
        pixels=('input_size', ), crops=True, lazy=True),
    RandomResizedCrop=TransformRule(lazy=True),
    # The sigma of GeneratePoseTarget is in pixels and stays all the same: a
    # narrower peak would fall between the points of a heatmap.
    **dict.fromkeys(('Flip', 'ColorJitter', 'RandomErasing',
                     'PytorchVideoWrapper', 'FormatShape', 'PackActionInputs',
                     'Transpose', 'Fuse', 'LoadHVULabel', 'PoseCompact',
                     'MMCompact', 'GeneratePoseTarget', 'FuseOnGrid'),
                    _ANY_SHAPE))


def register_transform_rule(name: str,
                            pixels: Sequence[str] = (),
                            frames: Sequence[str] = (),
                            **options: Any) -> None:
    """Register the rule of a transform, or replace it.

    Args:
        name (str): The transform's registered name.
        pixels (Sequence[str]): Its arguments in pixels. Defaults to none.
        frames (Sequence[str]): Its arguments in frames. Defaults to none.
        **options: Other attributes of :class:`TransformRule`, such as
            ``segments``, ``frame_interval``, ``crops``, ``does_io`` and
            ``decodes``. The last two concern broken files: if a transform
            with them fails, another clip replaces this one. An error of any
            other transform ends training.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``opens`` or ``decodes`` is no known reader.

    Examples:
        >>> register_transform_rule('MyBlur', pixels=['radius'])
        >>> register_transform_rule('MyDecode', decodes='decord')
    """
    if not isinstance(name, str) or not name:
        raise TypeError(
            f'name = {name!r}: must be the registered name of a transform')
    for key, value in (('pixels', pixels), ('frames', frames)):
        if isinstance(value, str):
            raise TypeError(
                f'{key} = {value!r}: must be a list of argument names')
    RULES[name] = TransformRule(tuple(pixels), tuple(frames), **options)


def type_name(value: Any) -> str:
    """Return the name of a ``type``, which is a string or a class."""
    # Strings may have a scope: 'mmaction.Resize'.
    if isinstance(value, str):
        return value.rsplit('.', 1)[-1]
    return getattr(value, '__name__', str(value))


def transform_name(step: Any) -> str:
    """Return the name of a transform, given its config or itself."""
    return type_name(
        step.get('type') if isinstance(step, dict) else type(step))


def find_rule(step: Any) -> TransformRule:
    """Find the rule of a transform, given its config or itself.

    Raises:
        ValueError: No rule is registered for it.
    """
    name = transform_name(step)
    if name not in RULES:
        raise ValueError(
            f'the train pipeline holds {name!r}, and multigrid does not know '
            'which of its arguments are pixels or frames. Register that in a '
            'module that custom_imports names: '
            f'mmaction_multigrid.register_transform_rule({name!r}, '
            'pixels=[...], frames=[...]), both empty if it has none')
    return RULES[name]
