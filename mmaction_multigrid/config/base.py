"""Read base training from a stock config."""

from typing import Any, Iterator, Mapping, Optional, Tuple

from ..core.settings import BaseTraining
from ..core.transform_rules import type_name
from ..loading.train_data import dataset_configs
from .base_lr import BaseLR, read_lr
from .pipeline import read_clip_shape
from .settings import check_count, section

# Arguments of backbones, with their defaults: clips must have a multiple of
# their value in frames or pixels. SlowFast's slow pathway takes every
# resample_rate-th frame, and otherwise its lateral connections do not fit. A
# transformer would ignore the pixels beyond its last whole patch.
FRAME_MULTIPLES = dict(
    ResNet3dSlowFast=('resample_rate', 8),
    VisionTransformer=('tubelet_size', 2))
CROP_MULTIPLES = dict(
    TimeSformer=('patch_size', None),
    UniFormerV2=('patch_size', 16),
    VisionTransformer=('patch_size', 16))


def read_epochs(train_cfg: Mapping) -> int:
    """Read the epochs of an epoch-based ``train_cfg``.

    Raises:
        ValueError: It is not epoch-based.
    """
    # mmengine's Runner chooses the loop in the same way.
    default = ('EpochBasedTrainLoop'
               if train_cfg.get('by_epoch', True) else 'IterBasedTrainLoop')
    kind = type_name(train_cfg.get('type', default))
    if kind != 'EpochBasedTrainLoop':
        raise ValueError(f'train_cfg.type = {kind!r}: multigrid trains in '
                         'epochs and needs EpochBasedTrainLoop')
    check_count('train_cfg.max_epochs', train_cfg.get('max_epochs'))
    return train_cfg['max_epochs']


def with_pipelines(dataset: Any) -> Iterator[Mapping]:
    """Iterate over the configs of all datasets that have a pipeline."""
    return (config for config in dataset_configs(dataset)
            if section(config, 'pipeline', 'dataset.', list))


def read_clip(train_dataloader: Mapping) -> Tuple[int, int, Optional[int]]:
    """Read frames, crop and frame interval of a ``train_dataloader``.

    Returns:
        tuple: Frames, crop in pixels, and frame interval or None.

    Raises:
        ValueError: There is no train pipeline, a transform has no rule, the
            pipelines make clips of several shapes, or clips are optical flow
            for a 2D network.
    """
    # Repeated and concatenated datasets have their pipelines further inside.
    found = list(with_pipelines(train_dataloader.get('dataset')))
    if not found:
        raise ValueError('train_dataloader.dataset has no pipeline: multigrid '
                         'needs a base config with a train pipeline')
    clips = {read_clip_shape(dataset['pipeline']) for dataset in found}
    for dataset in found:
        formats = [step.get('input_format') for step in dataset['pipeline']]
        if dataset.get('modality') == 'Flow' and 'NCHW' in formats:
            raise ValueError(
                "train_dataloader.dataset.modality = 'Flow', with "
                "FormatShape.input_format = 'NCHW': the frames of a clip are "
                "channels of the network's first convolution, which takes one "
                'number of them. Multigrid trains flow in 3D networks '
                "('NCTHW')")
    if len(clips) > 1:
        raise ValueError('train_dataloader.dataset has pipelines for clips of '
                         'different (frames, crop, interval): '
                         f'{sorted(clips, key=str)}; multigrid needs one')
    return clips.pop()


def read_multiples(backbone: Mapping, num_frames: int,
                   crop_size: int) -> Tuple[int, int]:
    """Read the multiples of frames and pixels that a network needs.

    Returns:
        tuple[int, int]: For frames and for pixels. 1 if the base clips are
        no multiple either.
    """
    kind, found = type_name(backbone.get('type', '')), []
    for size, arguments in ((num_frames, FRAME_MULTIPLES), (crop_size,
                                                            CROP_MULTIPLES)):
        name, default = arguments.get(kind, ('', 1))
        multiple = backbone.get(name, default)
        check_count(f'model.backbone.{name}', multiple)
        found.append(1 if size % multiple else multiple)
    # Its first convolution then has a stride of 2 in time.
    if kind == 'UniFormerV2' and backbone.get('temporal_downsample', False):
        found[0] = 1 if num_frames % 2 else 2
    return found[0], found[1]


def read_base(cfg: Mapping
              ) -> Tuple[BaseTraining, Optional[BaseLR], Optional[int]]:
    """Read base training from a config.

    Returns:
        tuple: Clips, epochs and lr decays; the lr if it is more than steps,
        else None; the frame interval of the clips, or None.

    Raises:
        TypeError, ValueError: The config cannot be trained with multigrid;
            the message says why.
    """
    backbone = section(section(cfg, 'model'), 'backbone', 'model.')
    if type_name(backbone.get('type', '')) == 'C3D':
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
    return training, lr, interval
