"""Read base training from a stock config."""

from typing import Any, Iterator, Mapping, Optional, Tuple

from ..core.settings import BaseTraining
from ..core.transform_rules import type_name
from ..loading.train_data import dataset_configs
from .base_lr import BaseLR, read_lr
from .pipeline import has_segments, read_clip_shape
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
# Classes whose networks take any number of segments. Others, such as TRNHead,
# have weights for one number of them.
SEGMENT_CLASSES = ('ResNet', 'ResNetTSM', 'MobileNetV2TSM', 'TSNHead',
                   'TSMHead')
# Keys of the parts of a network, and the classes that tests train.
PARTS = ('backbone', 'neck', 'cls_head', 'roi_head', 'shared_head',
         'bbox_head')
TESTED = {
    *SEGMENT_CLASSES, *"""
    Recognizer2D Recognizer3D MMRecognizer3D FastRCNN
    ResNet3d ResNet3dSlowFast ResNet3dSlowOnly ResNet2Plus1d ResNet3dCSN C2D
    MViT SwinTransformer3D UniFormerV2 TimeSformer VisionTransformer
    RGBPoseConv3D TANet TPN
    I3DHead SlowFastHead MViTHead TimeSformerHead UniFormerHead TPNHead TRNHead
    RGBPoseHead MultiLabelI3DHead MultiLabelSlowFastHead
    AVARoIHead BBoxHeadAVA ACRNHead
    """.split()
}


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


def read_clip(train_dataloader: Mapping
              ) -> Tuple[int, int, Optional[int], bool]:
    """Read the shape of the clips of a ``train_dataloader``.

    Returns:
        tuple: Frames, crop in pixels, frame interval or None, and whether
        the frames are segments.

    Raises:
        ValueError: There is no train pipeline, a transform has no rule, or
            the pipelines make clips of several shapes.
    """
    # Repeated and concatenated datasets have their pipelines further inside.
    found = list(with_pipelines(train_dataloader.get('dataset')))
    if not found:
        raise ValueError('train_dataloader.dataset has no pipeline: multigrid '
                         'needs a base config with a train pipeline')
    clips = {(*read_clip_shape(dataset['pipeline'], segments), segments)
             for dataset in found for segments in [has_segments(dataset)]}
    if len(clips) > 1:
        raise ValueError('train_dataloader.dataset has pipelines for clips of '
                         'different (frames, crop, interval, segments): '
                         f'{sorted(clips, key=str)}; multigrid needs one')
    return clips.pop()


def network_types(model: Mapping,
                  where: str = 'model.') -> Iterator[Tuple[str, str]]:
    """Iterate over the keys and class names of a network and its parts."""
    kind = model.get('type', '')
    # 'timm.resnet50', for example, is no class of MMAction2.
    is_other = isinstance(kind, str) and not kind.startswith('mmaction')
    yield f'{where}type', kind if is_other and '.' in kind else type_name(kind)
    for part in PARTS:
        if isinstance(model.get(part), Mapping):
            yield from network_types(model[part], f'{where}{part}.')


def check_network(model: Mapping) -> None:
    """Check that tests train all classes of a network.

    Raises:
        ValueError: There is one that no test trains.
    """
    for key, name in network_types(model):
        if name not in TESTED:
            raise ValueError(
                f'{key} = {name!r}: no test of mmaction_multigrid trains this '
                'class, so it is not known whether it takes clips of other '
                'frames and pixels. To train it all the same, set '
                'multigrid.allow_untested = True and run `check` first')


def read_multiples(model: Mapping, num_frames: int, crop_size: int,
                   segments: bool) -> Tuple[int, int]:
    """Read the multiples of frames and pixels that a network needs.

    Returns:
        tuple[int, int]: For frames and for pixels. 1 if the base clips are
        no multiple either.
    """
    backbone, found = section(model, 'backbone', 'model.'), []
    kind = type_name(backbone.get('type', ''))
    for size, arguments in ((num_frames, FRAME_MULTIPLES), (crop_size,
                                                            CROP_MULTIPLES)):
        name, default = arguments.get(kind, ('', 1))
        multiple = backbone.get(name, default)
        check_count(f'model.backbone.{name}', multiple)
        found.append(1 if size % multiple else multiple)
    # Its first convolution then has a stride of 2 in time.
    if kind == 'UniFormerV2' and backbone.get('temporal_downsample', False):
        found[0] = 1 if num_frames % 2 else 2
    parts = [name for _, name in network_types(model)][1:]
    if segments and not set(parts) <= set(SEGMENT_CLASSES):
        found[0] = num_frames
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
    model = section(cfg, 'model')
    backbone = section(model, 'backbone', 'model.')
    if type_name(backbone.get('type', '')) == 'C3D':
        raise ValueError("model.backbone.type = 'C3D': its first fully "
                         'connected layer takes the features of one clip '
                         'shape; multigrid needs a network that takes clips '
                         'of any number of frames and pixels, as ResNet3d '
                         'and ResNet3dSlowFast do')
    max_epochs = read_epochs(section(cfg, 'train_cfg'))
    num_frames, crop_size, interval, segments = read_clip(
        section(cfg, 'train_dataloader'))
    optimizer = section(
        section(cfg, 'optim_wrapper'), 'optimizer', 'optim_wrapper.')
    decays, lr = read_lr(
        cfg.get('param_scheduler'), max_epochs, optimizer.get('lr'))
    frames, pixels = read_multiples(model, num_frames, crop_size, segments)
    training = BaseTraining(
        num_frames,
        crop_size,
        max_epochs,
        frame_multiple=frames,
        crop_multiple=pixels,
        segments=segments,
        **decays)
    return training, lr, interval
