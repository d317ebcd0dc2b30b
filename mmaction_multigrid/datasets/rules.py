"""Which arguments of which transform are pixels and which are frames.

A transform that is not in the table cannot be trained with: nobody has said what a coarser grid means for it.
One call of :func:`register_transform_rule`, in a module named in ``custom_imports``, adds it.
"""

from dataclasses import dataclass
from math import isinf
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..schedule import frame_interval_range, type_name, video_path
from .grid import Grid

# What numbers the frames that a grid store holds copies of.
VIDEO_READERS = ('decord', 'pyav', 'opencv')
READERS = (*VIDEO_READERS, 'frames')


@dataclass(frozen=True)
class TransformRule:
    """What a transform's arguments mean on a coarser grid.

    Attributes:
        pixels (tuple[str]): Arguments in pixels: an int, or a tuple of them; -1 and inf stay as they are.
        frames (tuple[str]): Arguments in frames.
        frame_interval (str, optional): Argument that a clip of fewer frames draws anew, uniformly.
        default_interval (int): Its value where the config leaves it out.
        crops (bool): Whether the (last) argument in pixels is the size of what comes out.
        lazy (bool): Whether the stock transform can leave its work to MMAction2's ``Fuse``.
        reads (bool): Whether it opens, samples or decodes the file: an error of any type in it is then a broken file's.
        opens (str, optional): Reader that it opens the video with, and that
            numbers the frames: one of ``VIDEO_READERS``, or ``'pims'``.
        decodes (str, optional): Reader of the images that it leaves behind,
            without key points: one of ``READERS`` (``'frames'``: a folder of
            pictures), or ``'images'`` for any other source.
    """
    pixels: Tuple[str, ...] = ()
    frames: Tuple[str, ...] = ()
    frame_interval: Optional[str] = None
    default_interval: int = 1
    crops: bool = False
    lazy: bool = False
    reads: bool = False
    opens: Optional[str] = None
    decodes: Optional[str] = None

    def __post_init__(self) -> None:
        if not isinstance(self.reads, bool):
            raise TypeError(f'reads = {self.reads!r}: must be True or False')
        for key, known in (('opens', (*VIDEO_READERS, 'pims')),
                           ('decodes', (*READERS, 'images'))):
            value = getattr(self, key)
            if value is not None and value not in known:
                raise ValueError(f'{key} = {value!r}: must be one of '
                                 f'{", ".join(known)}')
            if value is not None:
                object.__setattr__(self, 'reads', True)

    @property
    def depends_on_shape(self) -> bool:
        """Whether the transform differs between shapes at all."""
        return bool(self.pixels or self.frames or self.frame_interval)

    def variants(self, args: dict, grid: Grid) -> List[dict]:
        """The transform's arguments on ``grid``: one dict, or several of which each clip uses any one."""
        scaled = dict(args)
        for name in self.pixels:
            if name in args:
                scaled[name] = scale_pixels(args[name], grid.crop_size / grid.base_crop)
        for name in self.frames:
            if name in args:
                scaled[name] = scale_frames(args[name], grid)
        if self.frame_interval is None:
            return [scaled]
        interval = args.get(self.frame_interval, self.default_interval)
        low, high = frame_interval_range(interval, grid.base_frames, grid.num_frames)
        if low == high:
            return [scaled]
        return [{**scaled, self.frame_interval: value} for value in range(low, high + 1)]


def scale_pixels(value: Any, ratio: float) -> Any:
    """Scale a size in pixels, or each of a sequence; a rising range stays one (paper, section 3.2)."""
    if isinstance(value, (list, tuple)):
        scaled = [scale_pixels(number, ratio) for number in value]
        if len(scaled) == 2 and 0 < value[0] < value[1] and scaled[0] >= scaled[1]:
            scaled[1] = scaled[0] + 1
        return type(value)(scaled)
    if isinstance(value, bool) or value is None or value <= 0 or isinf(value):
        return value
    return value * ratio if isinstance(value, float) else max(1, int(round(value * ratio)))


def scale_frames(value: Any, grid: Grid) -> Any:
    """Scale a number of frames, or each value of a dict of them."""
    if isinstance(value, dict):
        return type(value)({key: scale_frames(number, grid) for key, number in value.items()})
    return max(1, int(round(value * grid.num_frames / grid.base_frames)))


def _sampler(**kwargs) -> TransformRule:
    return TransformRule(frames=('clip_len', ), frame_interval='frame_interval', reads=True, **kwargs)


_UNIFORM = TransformRule(frames=('clip_len', ), reads=True)
_ANY_SHAPE = TransformRule()

RULES: Dict[str, TransformRule] = dict(
    SampleFrames=_sampler(),
    DenseSampleFrames=_sampler(),
    SampleAVAFrames=_sampler(default_interval=2),
    UniformSample=_UNIFORM,
    UniformSampleFrames=_UNIFORM,
    MMUniformSampleFrames=_UNIFORM,
    Resize=TransformRule(pixels=('scale', ), lazy=True),
    RandomRescale=TransformRule(pixels=('scale_range', )),
    RandomCrop=TransformRule(pixels=('size', ), crops=True, lazy=True),
    CenterCrop=TransformRule(pixels=('crop_size', ), crops=True, lazy=True),
    ThreeCrop=TransformRule(pixels=('crop_size', ), crops=True),
    TenCrop=TransformRule(pixels=('crop_size', ), crops=True),
    MultiScaleCrop=TransformRule(pixels=('input_size', ), crops=True, lazy=True),
    RandomResizedCrop=TransformRule(lazy=True),  # relative to the image
    # Not about its size at all, or relative to it.
    **dict.fromkeys(('Flip', 'ColorJitter', 'RandomErasing', 'PytorchVideoWrapper', 'FormatShape',
                     'PackActionInputs', 'Transpose', 'Fuse', 'LoadHVULabel', 'PoseCompact', 'MMCompact', 'FuseOnGrid'),
                    _ANY_SHAPE),
    DecordInit=TransformRule(opens='decord'),
    DecordDecode=TransformRule(decodes='decord'),
    PyAVInit=TransformRule(opens='pyav'),
    PyAVDecode=TransformRule(decodes='pyav'),
    OpenCVInit=TransformRule(opens='opencv'),
    OpenCVDecode=TransformRule(decodes='opencv'),
    PIMSInit=TransformRule(opens='pims'),
    PIMSDecode=TransformRule(decodes='images'),
    RawFrameDecode=TransformRule(decodes='frames'),
    **dict.fromkeys(('ImageDecode', 'ArrayDecode', 'GridStoreDecode'),
                    TransformRule(decodes='images')),
    **dict.fromkeys(('PoseDecode', 'DecompressPose',
                     'MMDecode', 'GridStoreInit'),
                    TransformRule(reads=True)),
    # Its sigma is in pixels and stays: a narrower peak would fall between the points of a heatmap.
    GeneratePoseTarget=_ANY_SHAPE)


def register_transform_rule(name: str,
                            pixels: Sequence[str] = (),
                            frames: Sequence[str] = (),
                            frame_interval: Optional[str] = None,
                            crops: bool = False,
                            reads: bool = False, opens: Optional[str] = None,
                            decodes: Optional[str] = None) -> None:
    """Say what a transform of your own does with pixels and frames, so that multigrid can train with it.

    Args:
        name: The transform's registered name. A rule of that name is replaced.
        pixels: Its arguments in pixels.
        frames: Its arguments in frames.
        frame_interval: Its argument that a clip of fewer frames draws anew.
        crops: Whether the last argument in pixels is the size of what comes out.
        reads: Whether it opens, samples or decodes the file. A clip on which
            it raises is replaced by another, whatever the error's type; an
            error of any other transform ends the run.
        opens: What it finds the same frames in a file as: ``'decord'``,
            ``'pyav'`` or ``'opencv'``.
        decodes: The same of a step that leaves images: also ``'frames'``, as
            ``RawFrameDecode``, and ``'images'``, for none of these, which no
            grid store stands in for.

    Raises:
        TypeError, ValueError: An argument has the wrong type, or is no reader.

    Examples:
        >>> register_transform_rule('MyBlur', pixels=['radius'])
        >>> register_transform_rule('MyDecode', decodes='decord')
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f'name = {name!r}: must be the registered name of a transform')
    for key, value in (('pixels', pixels), ('frames', frames)):
        if isinstance(value, str):
            raise TypeError(f'{key} = {value!r}: must be a list of argument names')
    RULES[name] = TransformRule(
        tuple(pixels), tuple(frames), frame_interval, crops=crops,
        reads=reads, opens=opens, decodes=decodes)


def transform_name(step: Any) -> str:
    """Name of a transform in a pipeline: of a config dict, whose type may be a class, or of an object."""
    return type_name(step.get('type') if isinstance(step, dict) else type(step))


def find_rule(step: Any) -> TransformRule:
    """The rule of a transform in a pipeline.

    Raises:
        ValueError: It has none.
    """
    name = transform_name(step)
    if name not in RULES:
        raise ValueError(
            f'the train pipeline holds {name!r}, and multigrid does not know which of its arguments are pixels or '
            f'frames. Say so once, in a module that custom_imports names: mmaction_multigrid.'
            f'register_transform_rule({name!r}, pixels=[...], frames=[...]), both empty if it has none')
    return RULES[name]


def find_reader(pipeline: Sequence[Any]) -> Optional[str]:
    """Find what opens the clips of a pipeline, of configs or of objects.

    Returns:
        str, optional: ``opens`` or ``decodes`` of the first rule that has
        one. None: no step has.
    """
    for step in pipeline:
        rule = RULES.get(transform_name(step), _ANY_SHAPE)
        if rule.opens or rule.decodes:
            return rule.opens or rule.decodes
    return None


def clip_path(info: Mapping, reader: Optional[str]) -> Optional[str]:
    """Find the file, or the folder of pictures, that a reader opens.

    Args:
        info (Mapping): What a data set says about a clip.
        reader (str, optional): See :func:`find_reader`.

    Returns:
        str, optional: None: the reader opens no file, or the clip has none.
    """
    if reader == 'frames':
        return info.get('frame_dir')
    if reader not in (*VIDEO_READERS, 'pims') or not info.get('filename'):
        return None
    path = info['filename']
    return video_path(path) if reader == 'decord' else path
