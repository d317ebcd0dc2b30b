"""Base training, as a stock config describes it."""

from typing import Any, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from ..core.settings import BaseTraining
from ..core.transform_rules import type_name
from .base_lr import BaseCurve, read_lr
from .pipeline import read_clip_shape
from .sections import check_count, section

# Backbones of MMAction2 that take clips of one shape only, and why.
FIXED_SHAPE = dict(C3D='its first fully connected layer takes '
                   'the features of one clip shape')
# Side of the patches, by default, of backbones whose position embedding is
# interpolated (models/positions.py).
PATCHES = dict(TimeSformer=None, UniFormerV2=16, VisionTransformer=16)
# Names and defaults of the arguments that hold frames and crop of the clips
# that a backbone's positions are made for.
CLIP_ARGUMENTS = dict(
    TimeSformer=dict(num_frames=None, img_size=None),
    UniFormerV2=dict(t_size=8, input_resolution=224),
    VisionTransformer=dict(num_frames=16, img_size=224),
    MViT=dict(temporal_size=16, spatial_size=224))


class BaseConfig(NamedTuple):
    """A base config as far as a schedule depends on it.

    Attributes:
        training (BaseTraining): Clips, epochs and the lr's decays.
        curve (BaseCurve, optional): Its lr where that is more than steps.
        frame_interval (int, optional): That of its clips, if they have one.
    """
    training: BaseTraining
    curve: Optional[BaseCurve]
    frame_interval: Optional[int]


def read_epochs(train_cfg: Optional[Mapping]) -> int:
    """Read the epochs of an epoch-based ``train_cfg``.

    Raises:
        ValueError: There is none, or it is not epoch-based.
    """
    if not isinstance(train_cfg, Mapping):
        raise ValueError(f'train_cfg = {train_cfg!r}: multigrid needs the '
                         'train_cfg of an epoch-based base config')
    by_epoch = train_cfg.get('by_epoch', True)
    default = 'EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop'
    kind = type_name(train_cfg.get('type', default))
    if kind != 'EpochBasedTrainLoop':
        raise ValueError(f'train_cfg.type = {kind!r}: multigrid trains in '
                         'epochs and needs EpochBasedTrainLoop')
    check_count('train_cfg.max_epochs', train_cfg.get('max_epochs'))
    return train_cfg['max_epochs']


def with_pipelines(dataset: Any) -> Iterator[Mapping]:
    """Yield the configs of all datasets that have a pipeline."""
    if isinstance(dataset, Mapping):
        if (isinstance(dataset.get('pipeline'), (list, tuple))
                and dataset['pipeline']):
            yield dataset
        for key in ('dataset', 'datasets'):
            yield from with_pipelines(dataset.get(key))
    elif isinstance(dataset, (list, tuple)):
        for entry in dataset:
            yield from with_pipelines(entry)


def pipelines(dataset: Any) -> List[List]:
    """List every pipeline in a dataset's config."""
    return [entry['pipeline'] for entry in with_pipelines(dataset)]


def check_flow(dataset: Mapping) -> None:
    """Refuse optical flow whose frames are channels of a 2D network.

    Raises:
        ValueError: They are: FormatShape puts them there.
    """
    formats = [
        step.get('input_format') for step in dataset['pipeline']
        if type_name(step.get('type')) == 'FormatShape'
    ]
    if dataset.get('modality') == 'Flow' and 'NCHW' in formats:
        raise ValueError("train_dataloader.dataset.modality = 'Flow', with "
                         "FormatShape.input_format = 'NCHW': the frames of a "
                         "clip are channels of the network's first "
                         'convolution, which takes one number of them. '
                         "Multigrid trains flow in 3D networks ('NCTHW')")


def read_clip(train_dataloader: Optional[Mapping]
              ) -> Tuple[int, int, Optional[int]]:
    """Read frames, crop and frame interval of a ``train_dataloader``.

    Raises:
        ValueError: There is no train pipeline, or a transform without a
            rule, or clips of several shapes.
    """
    if not isinstance(train_dataloader, Mapping):
        raise ValueError('train_dataloader is of type '
                         f'{type(train_dataloader).__name__}: multigrid needs '
                         'a dict, the train_dataloader of a base config')
    found = list(with_pipelines(train_dataloader.get('dataset')))
    if not found:
        raise ValueError('train_dataloader.dataset has no pipeline: multigrid '
                         'needs a base config with a train pipeline')
    clips = {read_clip_shape(dataset['pipeline']) for dataset in found}
    for dataset in found:
        check_flow(dataset)
    if len(clips) > 1:
        raise ValueError('train_dataloader.dataset has pipelines for clips of '
                         'different (frames, crop, interval): '
                         f'{sorted(clips, key=str)}; multigrid needs one')
    return clips.pop()


def read_multiples(backbone: Mapping, num_frames: int,
                   crop_size: int) -> Tuple[int, int]:
    """Read the multiples of frames and pixels that a network takes.

    The slow pathway of SlowFast sees one of ``resample_rate`` frames, and its
    lateral connections fit only then. A transformer would leave out the pixels
    beyond its last whole patch. Where the base clips are no multiple, coarse
    clips need not be either.
    """
    kind = type_name(backbone.get('type', ''))
    frames = pixels = 1
    if kind == 'ResNet3dSlowFast':
        frames = backbone.get('resample_rate', 8)
        check_count('model.backbone.resample_rate', frames)
    if kind == 'UniFormerV2' and backbone.get('temporal_downsample', False):
        frames = 2
    if kind == 'VisionTransformer':
        frames = backbone.get('tubelet_size', 2)
        check_count('model.backbone.tubelet_size', frames)
    if kind in PATCHES:
        pixels = backbone.get('patch_size', PATCHES[kind])
        check_count('model.backbone.patch_size', pixels)
    return (1 if num_frames % frames else frames,
            1 if crop_size % pixels else pixels)


def position_warnings(backbone: Mapping, num_frames: int,
                      crop_size: int) -> List[str]:
    """Warn of positions that are made for other clips than the base clips.

    Args:
        backbone: Its config.
        num_frames: Frames of the base clips.
        crop_size: Their crop.
    """
    found = []
    kind = type_name(backbone.get('type', ''))
    arguments = CLIP_ARGUMENTS.get(kind, {})
    # MViT interpolates by itself, and so tests what it has trained on.
    tested = '' if kind == 'MViT' else (
        ', and the stock network may fail to test them')
    sizes = ((num_frames, 'frames'), (crop_size, 'pixels'))
    for (name, default), (size, unit) in zip(arguments.items(), sizes):
        value = backbone.get(name, default)
        built_for = min(value) if isinstance(value, (list, tuple)) else value
        if built_for not in (None, size):
            found.append(f'model.backbone.{name} = {value!r}, and the base '
                         f'clips have {size} {unit}: positions are '
                         f'interpolated for full clips too{tested}. Set model '
                         f'= dict(backbone=dict({name}={size}))')
    return found


def read_base(cfg: Mapping) -> BaseConfig:
    """Read the base training of a config.

    Raises:
        TypeError, ValueError: The config cannot be trained with multigrid;
            the message says why.
    """
    backbone = section(section(cfg, 'model'), 'backbone', 'model.')
    kind = type_name(backbone.get('type', ''))
    if kind in FIXED_SHAPE:
        raise ValueError(f'model.backbone.type = {kind!r}: '
                         f'{FIXED_SHAPE[kind]}; multigrid needs a network '
                         'that takes clips of any number of frames and '
                         'pixels, as ResNet3d and ResNet3dSlowFast do')
    max_epochs = read_epochs(cfg.get('train_cfg'))
    num_frames, crop_size, interval = read_clip(cfg.get('train_dataloader'))
    optimizer = section(
        section(cfg, 'optim_wrapper'), 'optimizer', 'optim_wrapper.')
    lr, curve = read_lr(
        cfg.get('param_scheduler'), max_epochs, optimizer.get('lr'))
    frames, pixels = read_multiples(backbone, num_frames, crop_size)
    training = BaseTraining(
        num_frames,
        crop_size,
        max_epochs,
        frame_multiple=frames,
        crop_multiple=pixels,
        **lr)
    return BaseConfig(training, curve, interval)
