"""What a stock config says about its training."""

from typing import Any, Iterator, List, Mapping, Optional, Tuple

from mmaction.registry import TRANSFORMS

from ..schedule import BaseTraining, check_count, type_name
from .schedulers import read_lr
from .sections import section

# Backbones of stock MMAction2 that take clips of one shape only, and what in them does.
FIXED_SHAPE = dict(C3D='its first fully connected layer takes the features of one clip shape')
# Backbones whose position embedding follows the grid (models/positions.py), and the side of their patches by default.
PATCHES = dict(TimeSformer=None, UniFormerV2=16, VisionTransformer=16)


def read_epochs(train_cfg: Optional[Mapping]) -> int:
    """Epochs of an epoch-based ``train_cfg``.

    Raises:
        ValueError: There is none, or it is not epoch-based.
    """
    if not isinstance(train_cfg, Mapping):
        raise ValueError(f'train_cfg = {train_cfg!r}: multigrid needs the train_cfg of an epoch-based base config')
    kind = type_name(train_cfg.get('type', 'EpochBasedTrainLoop' if train_cfg.get('by_epoch', True) else
                                   'IterBasedTrainLoop'))
    if kind != 'EpochBasedTrainLoop':
        raise ValueError(f'train_cfg.type = {kind!r}: multigrid trains in epochs and needs EpochBasedTrainLoop')
    epochs = train_cfg.get('max_epochs')
    check_count('train_cfg.max_epochs', epochs)
    return epochs


def pipelines(dataset: Any) -> Iterator[List]:
    """Every pipeline in the config of a data set, those of wrapped data sets among them."""
    if isinstance(dataset, Mapping):
        if isinstance(dataset.get('pipeline'), (list, tuple)) and dataset['pipeline']:
            yield dataset['pipeline']
        for key in ('dataset', 'datasets'):
            yield from pipelines(dataset.get(key))
    elif isinstance(dataset, (list, tuple)):
        for entry in dataset:
            yield from pipelines(entry)


def read_clip(train_dataloader: Optional[Mapping]) -> Tuple[int, int, Optional[int]]:
    """Frames, crop and frame interval of the clips of a ``train_dataloader``.

    Raises:
        ValueError: There is no train pipeline, or pipelines of different clips, or a transform without a rule.
    """
    if not isinstance(train_dataloader, Mapping):
        raise ValueError(f'train_dataloader is of type {type(train_dataloader).__name__}: multigrid needs a dict, the '
                         'train_dataloader of a base config')
    found = list(pipelines(train_dataloader.get('dataset')))
    if not found:
        raise ValueError('train_dataloader.dataset has no pipeline: multigrid needs a base config with a train pipeline')
    clips = {TRANSFORMS.get('MultigridTransform').base_shape(pipeline) for pipeline in found}
    if len(clips) > 1:
        raise ValueError(f'train_dataloader.dataset has pipelines for clips of different (frames, crop, interval): '
                         f'{sorted(clips, key=str)}; multigrid needs one')
    return clips.pop()


def read_multiples(backbone: Mapping, num_frames: int, crop_size: int) -> Tuple[int, int]:
    """Frames and pixels that the clips of a network must be multiples of, as those of the base config are.

    SlowFast's slow pathway sees one of ``resample_rate`` frames, and its lateral connections fit only then. A
    transformer's pixels beyond its last whole patch would be left out.
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
    return 1 if num_frames % frames else frames, 1 if crop_size % pixels else pixels


def read_base(cfg: Mapping) -> Tuple[BaseTraining, Optional[int]]:
    """The base training of a config, and the frame interval of its clips.

    Raises:
        ValueError: The config cannot be trained with multigrid; the message says why.
    """
    backbone = section(section(cfg, 'model'), 'backbone', 'model.')
    kind = type_name(backbone.get('type', ''))
    if kind in FIXED_SHAPE:
        raise ValueError(f'model.backbone.type = {kind!r}: {FIXED_SHAPE[kind]}; multigrid needs a network that '
                         'takes clips of any number of frames and pixels, as ResNet3d and ResNet3dSlowFast do')
    max_epochs = read_epochs(cfg.get('train_cfg'))
    num_frames, crop_size, interval = read_clip(cfg.get('train_dataloader'))
    optimizer = section(section(cfg, 'optim_wrapper'), 'optimizer', 'optim_wrapper.')
    lr = read_lr(cfg.get('param_scheduler'), max_epochs, optimizer.get('lr'))
    frames, pixels = read_multiples(backbone, num_frames, crop_size)
    return BaseTraining(num_frames, crop_size, max_epochs, frame_multiple=frames, crop_multiple=pixels, **lr), interval
