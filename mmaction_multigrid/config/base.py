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
# Names and defaults of the arguments that hold frames and crop of the clips
# that a backbone's positions are made for.
CLIP_ARGUMENTS = dict(
    TimeSformer=dict(num_frames=None, img_size=None),
    UniFormerV2=dict(t_size=8, input_resolution=224),
    VisionTransformer=dict(num_frames=16, img_size=224),
    MViT=dict(temporal_size=16, spatial_size=224))


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


def with_pipelines(dataset: Any) -> Iterator[Mapping]:
    """Every data set that has a pipeline in a config, wrapped ones among them.
    """
    if isinstance(dataset, Mapping):
        if isinstance(dataset.get('pipeline'), (list, tuple)) and dataset['pipeline']:
            yield dataset
        for key in ('dataset', 'datasets'):
            yield from with_pipelines(dataset.get(key))
    elif isinstance(dataset, (list, tuple)):
        for entry in dataset:
            yield from with_pipelines(entry)


def pipelines(dataset: Any) -> List[List]:
    """Every pipeline in the config of a data set."""
    return [entry['pipeline'] for entry in with_pipelines(dataset)]


def check_flow(dataset: Mapping) -> None:
    """Refuse optical flow whose frames are channels of a 2D network.

    Raises:
        ValueError: They are: FormatShape puts them there.
    """
    formats = [step.get('input_format') for step in dataset['pipeline']
               if type_name(step.get('type')) == 'FormatShape']
    if dataset.get('modality') == 'Flow' and 'NCHW' in formats:
        raise ValueError(
            "train_dataloader.dataset.modality = 'Flow', with "
            "FormatShape.input_format = 'NCHW': the frames of a clip are "
            "channels of the network's first convolution, which takes one "
            "number of them. Multigrid trains flow in 3D networks ('NCTHW')")


def read_clip(train_dataloader: Optional[Mapping]) -> Tuple[int, int, Optional[int]]:
    """Frames, crop and frame interval of the clips of a ``train_dataloader``.

    Raises:
        ValueError: There is no train pipeline, or pipelines of different clips, or a transform without a rule.
    """
    if not isinstance(train_dataloader, Mapping):
        raise ValueError(f'train_dataloader is of type {type(train_dataloader).__name__}: multigrid needs a dict, the '
                         'train_dataloader of a base config')
    found = list(with_pipelines(train_dataloader.get('dataset')))
    if not found:
        raise ValueError('train_dataloader.dataset has no pipeline: multigrid needs a base config with a train pipeline')
    for dataset in found:
        check_flow(dataset)
    base_shape = TRANSFORMS.get('MultigridTransform').base_shape
    clips = {base_shape(dataset['pipeline']) for dataset in found}
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
            found.append(
                f'model.backbone.{name} = {value!r}, and the base clips have '
                f'{size} {unit}: positions are interpolated for full clips '
                f'too{tested}. Set model = dict(backbone=dict({name}={size}))')
    return found


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
