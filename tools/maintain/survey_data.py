"""Made-up data for the stock configs, and smaller networks."""

import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict

import cv2
import numpy as np
from mmaction_multigrid.config.base import with_pipelines
from mmaction_multigrid.core.transform_rules import type_name

from mmaction.registry import MODELS

CLIPS, FRAMES, HEIGHT, WIDTH, JOINTS = 12, 72, 256, 340, 17
# AVA's identifiers have 11 characters.
NAMES = [f'video{i:06d}' for i in range(CLIPS)]
SPLITS = ('train', 'val', 'train1', 'test1', 'xsub_train', 'xsub_val')
# Of proposals: x1, y1, x2, y2 relative to the frame, and a score.
BOXES = np.array([[0.1, 0.2, 0.5, 0.9, 0.95], [0.4, 0.1, 0.8, 0.8, 0.92]])
LISTS = dict(
    VideoDataset='videos.txt',
    RepeatAugDataset='videos.txt',
    RawframeDataset='frames.txt',
    PoseDataset='poses.pkl')
# Channels are divided by this in these backbones; 2D networks have a fixed
# number of them.
THINNER = 8
THIN = ('ResNet3d', 'ResNet3dSlowFast', 'ResNet3dSlowOnly', 'ResNet3dCSN',
        'ResNet2Plus1d', 'RGBPoseConv3D', 'MViT', 'SwinTransformer3D',
        'TimeSformer', 'VisionTransformer', 'UniFormerV2')
# Arguments that make a backbone shorter, or keep it from asking for weights.
OTHERS: Dict[str, dict] = dict(
    **dict.fromkeys(('SwinTransformer3D', 'ResNetTSM', 'MobileNetV2TSM'),
                    dict(pretrained2d=False)),
    MViT=dict(pretrained_type=None),
    TimeSformer=dict(num_transformer_layers=2, num_heads=2),
    VisionTransformer=dict(depth=2, num_heads=2),
    UniFormerV2=dict(
        layers=2,
        n_layers=2,
        heads=2,
        n_head=2,
        return_list=[0, 1],
        mlp_dropout=[0.5, 0.5],
        clip_pretrained=False))
# Transforms whose packages are not installed.
MISSING = [] if find_spec('pytorchvideo') else ['PytorchVideoWrapper']


def make_data(folder: Path) -> Path:
    """Write what the dataset classes of the stock configs read.

    All clips have the same pictures.
    """
    random = np.random.RandomState(0)
    picture = cv2.resize(
        random.randint(256, size=(HEIGHT // 8, WIDTH // 8, 3)).astype('uint8'),
        (WIDTH, HEIGHT))
    pictures = folder / 'pictures'
    for path in (pictures, folder / 'frames', folder / 'skeletons'):
        path.mkdir(parents=True)
    video = cv2.VideoWriter(
        str(folder / 'video.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 25,
        (WIDTH, HEIGHT))
    for i in range(FRAMES):
        frame = np.roll(picture, 3 * i, 1)
        video.write(frame)
        data = cv2.imencode('.jpg', frame)[1].tobytes()
        for prefix in ('img_', '', 'x_', 'y_'):
            (pictures / f'{prefix}{i + 1:05}.jpg').write_bytes(data)
    video.release()
    for name in NAMES:
        (folder / f'{name}.mp4').symlink_to('video.mp4')
        (folder / 'frames' / name).symlink_to(pictures.resolve())
    for file, text in (('videos.txt', '{}.mp4 {}\n'), ('frames.txt',
                                                       '{} %d {}\n' % FRAMES)):
        (folder / file).write_text(''.join(
            text.format(name, i % 2) for i, name in enumerate(NAMES)))
    _write_poses(folder, random)
    # AVA counts seconds from 900 on, and MultiSports frames of a video.
    _write_boxes(folder, 'boxes', NAMES, 901)
    _write_boxes(folder, 'sports', [f'{name}.mp4' for name in NAMES], 30)
    return folder


def _write_poses(folder: Path, random: np.random.RandomState) -> None:
    points = random.uniform(60, 200, (1, FRAMES, JOINTS, 2)).astype('float16')
    annotations = []
    for i, name in enumerate(NAMES):
        annotations.append(
            dict(
                frame_dir=name,
                filename=f'{name}.mp4',
                label=i % 2,
                img_shape=(HEIGHT, WIDTH),
                original_shape=(HEIGHT, WIDTH),
                total_frames=FRAMES,
                keypoint=points,
                keypoint_score=np.ones(points.shape[:-1], 'float16')))
        # The compressed poses of Kinetics are in one file per video.
        with open(folder / 'skeletons' / f'{name}.mp4.pkl', 'wb') as file:
            scores = np.ones((FRAMES, JOINTS, 1), 'float16')
            pickle.dump(
                dict(
                    frame_inds=np.arange(FRAMES),
                    keypoint=np.concatenate([points[0], scores], -1)), file)
    names = [entry['filename'] for entry in annotations]
    with open(folder / 'poses.pkl', 'wb') as file:
        pickle.dump(
            dict(split=dict.fromkeys(SPLITS, names), annotations=annotations),
            file)


def _write_boxes(folder: Path, kind: str, names: list, time: int) -> None:
    (folder / f'{kind}.csv').write_text(''.join(
        f'{name},{time},{",".join(map(str, box[:4]))},{label},{label}\n'
        for name in names for label, box in enumerate(BOXES, 1)))
    with open(folder / f'{kind}.pkl', 'wb') as file:
        pickle.dump({f'{name},{time:04d}': BOXES for name in names}, file)
    (folder / 'excluded.csv').write_text('none,0\n')
    (folder / 'labels.pbtxt').write_text('item {\n  name: "a"\n  id: 1\n}\n')


def use_data(config: dict, folder: Path) -> None:
    """Let all datasets of a ``dataset`` config read the made-up data.

    Transforms in ``MISSING`` are left out.
    """
    for dataset in with_pipelines(config):
        sports = not dataset.get('use_frames', True)
        folders = dict(
            video=folder,
            img=folder if sports else folder / 'frames',
            skeleton=folder / 'skeletons')
        dataset['data_prefix'] = {
            key: str(folders[key])
            for key in dataset.get('data_prefix', {})
        }
        boxes = 'sports' if sports else 'boxes'
        files = dict(
            ann_file=LISTS.get(type_name(dataset['type']), f'{boxes}.csv'),
            proposal_file=f'{boxes}.pkl',
            exclude_file='excluded.csv',
            label_file='labels.pbtxt')
        dataset.update({
            key: str(folder / file)
            for key, file in files.items() if key in dataset
        })
        dataset['pipeline'] = [
            step for step in dataset['pipeline']
            if type_name(step['type']) not in MISSING
        ]


def narrow(model: dict) -> dict:
    """Return a ``model`` with fewer channels and blocks.

    See :func:`narrow_classes` for networks that only name their size.
    """
    kind = type_name((model.get('backbone') or {}).get('type', ''))
    parts = {
        # The neck of TPN has default channels.
        key: _narrow(value, kind in THIN and 'neck' not in model,
                     key == 'backbone')
        for key, value in model.items()
    }
    if kind in OTHERS:
        parts['backbone'].update(OTHERS[kind])
    return parts


def _narrow(config: Any, thin: bool, inside: bool) -> Any:
    """Narrow a part of a model, which may be ``inside`` the backbone."""
    if isinstance(config, (list, tuple)):
        return type(config)(_narrow(value, thin, inside) for value in config)
    if not isinstance(config, dict):
        return config
    config = {
        key: _narrow(value, thin, inside)
        for key, value in config.items()
    }
    # One block of each stage, non-local if one of them is.
    for key in ('inflate', 'non_local'):
        if isinstance(config.get(key), (list, tuple)):
            config[key] = tuple(
                stage if isinstance(stage, int) else (max(stage), )
                for stage in config[key])
    if config.get('stage_blocks'):
        config['stage_blocks'] = (1, ) * len(config['stage_blocks'])
    # Networks that are the same when they are small share a run.
    if inside and config.get('depth', 0) > 50:
        config['depth'] = 50
    if thin and inside and 'depth' in config:
        config.setdefault('base_channels', 64)
    for key, value in config.items() if thin else ():
        # The input of a backbone is pictures.
        if (key.endswith('channels')
                or key in ('embed_dims', 'width',
                           'n_dim')) and not (inside and key == 'in_channels'):
            config[key] = (
                max(1, value // THINNER) if isinstance(value, int) else
                [channels // THINNER for channels in value])
    return config


def narrow_classes() -> None:
    """Make the networks small whose config only names their size.

    This changes classes of MMAction2; call it in a process of its own.
    """
    MODELS.import_from_location()
    for kind in MODELS.module_dict.values():
        depths = vars(kind).get('arch_settings', {})
        # MobileNetV2 has a list and stays as it is.
        for depth in depths if isinstance(depths, dict) else ():
            block, blocks = depths[depth][:2]
            depths[depth] = block, (1, ) * len(blocks)
        zoo = vars(kind).get('arch_zoo', {}).values()
        for arch in {id(arch): arch for arch in zoo}.values():
            arch['embed_dims'] //= THINNER
            if 'depths' in arch:  # of Swin: with and without shifted windows
                arch.update(depths=[2, 2, 2, 2], num_heads=[1, 2, 4, 8])
            else:  # of MViT
                arch.update(
                    num_layers=4, num_heads=1, downscale_indices=[1, 2, 3])
