"""Base training, as a stock config describes it."""

from typing import Any, Iterator, Mapping, NamedTuple, Optional, Tuple

from ..core.settings import BaseTraining
from ..core.transform_rules import type_name
from .base_lr import BaseLR, read_lr
from .pipeline import read_clip_shape
from .settings import check_count, section

# Arguments of backbones, and their defaults, whose multiples of frames or
# pixels the network takes. The slow pathway of SlowFast sees one of
# resample_rate frames, and its lateral connections fit only then. A
# transformer would leave out the pixels beyond its last whole patch.
FRAME_MULTIPLES = dict(
    ResNet3dSlowFast=('resample_rate', 8),
    VisionTransformer=('tubelet_size', 2))
CROP_MULTIPLES = dict(
    TimeSformer=('patch_size', None),
    UniFormerV2=('patch_size', 16),
    VisionTransformer=('patch_size', 16))


class BaseConfig(NamedTuple):
    """A base config as far as a schedule depends on it.

    Attributes:
        training (BaseTraining): Clips, epochs and the lr's decays.
        lr (BaseLR, optional): Its lr where that is more than steps.
        frame_interval (int, optional): That of its clips, if they have one.
    """
    training: BaseTraining
    lr: Optional[BaseLR]
    frame_interval: Optional[int]


def read_epochs(train_cfg: Mapping) -> int:
    """Read the epochs of an epoch-based ``train_cfg``.

    Raises:
        ValueError: It is not epoch-based.
    """
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


def read_clip(train_dataloader: Mapping) -> Tuple[int, int, Optional[int]]:
    """Read frames, crop and frame interval of a ``train_dataloader``.

    Raises:
        ValueError: There is no train pipeline, or a transform without a
            rule, or clips of several shapes.
    """
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

    Where the base clips are no multiple, coarse clips need not be either.
    """
    kind, found = type_name(backbone.get('type', '')), []
    for size, arguments in ((num_frames, FRAME_MULTIPLES), (crop_size,
                                                            CROP_MULTIPLES)):
        name, default = arguments.get(kind, ('', 1))
        multiple = backbone.get(name, default)
        check_count(f'model.backbone.{name}', multiple)
        found.append(1 if size % multiple else multiple)
    if kind == 'UniFormerV2' and backbone.get('temporal_downsample', False):
        found[0] = 1 if num_frames % 2 else 2
    return found[0], found[1]


def read_base(cfg: Mapping) -> BaseConfig:
    """Read the base training of a config.

    Raises:
        TypeError, ValueError: The config cannot be trained with multigrid;
            the message says why.
    """
    backbone = section(section(cfg, 'model'), 'backbone', 'model.')
    kind = type_name(backbone.get('type', ''))
    if kind == 'C3D':
        raise ValueError("model.backbone.type = 'C3D': its first fully "
                         'connected layer takes the features of one clip '
                         'shape; multigrid needs a network that takes clips '
                         'of any number of frames and pixels, as ResNet3d '
                         'and ResNet3dSlowFast do')
    max_epochs = read_epochs(section(cfg, 'train_cfg'))
    num_frames, crop_size, interval = read_clip(
        section(cfg, 'train_dataloader'))
    optimizer = section(
        section(cfg, 'optim_wrapper'), 'optimizer', 'optim_wrapper.')
    decays, lr = read_lr(
        cfg.get('param_scheduler'), max_epochs, optimizer.get('lr'))
    frames, pixels = read_multiples(backbone, num_frames, crop_size)
    training = BaseTraining(
        num_frames,
        crop_size,
        max_epochs,
        frame_multiple=frames,
        crop_multiple=pixels,
        **decays)
    return BaseConfig(training, lr, interval)
