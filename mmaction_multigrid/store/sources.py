"""What a store is made from: videos and folders of pictures, and what numbers their frames."""

import copy
import os
import os.path as osp
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import cv2
import decord
import numpy as np
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.fileio import join_path
from mmengine.utils import is_abs

from ..datasets import leaves
from ..datasets.rules import transform_name
from .avi import pyav

OPENERS = dict(DecordInit='decord', PyAVInit='pyav', OpenCVInit='opencv')
DECODERS = dict(DecordDecode='decord', PyAVDecode='pyav', OpenCVDecode='opencv', RawFrameDecode='frames')


@dataclass(frozen=True)
class Source:
    """An original.

    Attributes:
        name (str): What the store calls it.
        path (str): Of the file, or of the first picture.
        reader (str): ``decord``, ``pyav`` or ``opencv``, whose frame numbers the pipeline means; ``frames``: pictures.
        pictures (str, optional): Path of a picture, with ``{}`` or the like for its number.
        first, frames (int): Number of the first picture, and how many there are.
    """
    name: str
    path: str
    reader: str = 'decord'
    pictures: Optional[str] = None
    first: int = 1
    frames: int = 0


def clip_name(info: Mapping, root: str) -> str:
    """Name, in a store, of the clip that a data set describes: its path below the data set's folder."""
    path = info['filename'] if 'filename' in info else info['frame_dir']
    prefix = root if root.endswith('/') or not root else f'{root}/'
    name = path[len(prefix):] if prefix and path.startswith(prefix) else osp.relpath(path, root or '.')
    name = osp.normpath(name)
    return f'{name}+{info["offset"]}' if info.get('offset') else name


def source_of(info: Mapping, root: str, reader: str) -> Source:
    """The original of the clip that a data set describes."""
    name = clip_name(info, root)
    if reader == 'frames':
        pictures, first = osp.join(info['frame_dir'], info['filename_tmpl']), info['start_index'] + info.get('offset', 0)
        return Source(name, pictures.format(first), reader, pictures, first, info['total_frames'])
    path = info['filename']
    if reader == 'decord' and not osp.splitext(path)[1]:  # as DecordInit does
        path += '.mp4'
    return Source(name, path, reader)


def find_root(dataset: Mapping) -> str:
    """Folder of the clips of a data set, from its config."""
    prefix = dataset.get('data_prefix')
    if isinstance(prefix, Mapping):
        prefix = next((prefix[key] for key in ('video', 'img') if prefix.get(key)), '')
    prefix, data_root = prefix or '', dataset.get('data_root')
    return join_path(data_root, prefix) if data_root and not is_abs(prefix) else prefix


def find_reader(pipeline: Sequence[Any]) -> str:
    """What numbers the frames that a pipeline decodes.

    Raises:
        ValueError: Nothing that a store can stand in for.
    """
    for step in pipeline:
        if transform_name(step) in DECODERS:
            return DECODERS[transform_name(step)]
    raise ValueError('multigrid.grid_store: the train pipeline opens no videos; it has none of '
                     f'{", ".join(DECODERS)}')


def sources_of(cfg: Config, listed: Optional[Path] = None, root: Optional[Path] = None) -> List[Source]:
    """The originals of the train data of a config; each once.

    Args:
        cfg: Any config.
        listed: Another annotation file, for the first data set in the config.
        root: Another folder, of its clips.

    Raises:
        ValueError: The clips are not RGB, or none are there.
    """
    dataset = copy.deepcopy(cfg['train_dataloader']['dataset'])
    configs = list(_configs(dataset))
    key = 'img' if find_reader(configs[0]['pipeline']) == 'frames' else 'video'
    if listed is not None:
        configs[0]['ann_file'] = osp.abspath(listed)
    if root is not None:
        configs[0]['data_prefix'] = {key: osp.abspath(root)}
    readers = [(find_root(config), find_reader(config['pipeline'])) for config in configs]
    for config in configs:
        if config.get('modality', 'RGB') != 'RGB':
            raise ValueError(f'dataset.modality = {config["modality"]!r}: a grid store holds RGB')
        config['pipeline'] = []
    found: Dict[str, Source] = {}
    built = DATASETS.build(dataset)
    for data, (folder, reader) in zip(leaves(built), readers):
        for index in range(len(data)):
            source = source_of(data.get_data_info(index), folder, reader)
            found.setdefault(source.name, source)
    if not found:
        raise ValueError('train_dataloader.dataset: names no video')
    return list(found.values())


def _configs(dataset: Any) -> Iterator[Dict[str, Any]]:
    """Configs of the data sets that have clips of their own, in the order of :func:`..datasets.leaves`."""
    if isinstance(dataset, (list, tuple)):
        for entry in dataset:
            yield from _configs(entry)
    elif dataset.get('pipeline'):
        yield dataset
    else:
        yield from _configs(dataset.get('dataset') or dataset.get('datasets') or ())


def read_list(path: Path, root: Path) -> List[Source]:
    """The videos in an annotation file; each once.

    Raises:
        ValueError: It names none.
    """
    names = dict.fromkeys(line.split()[0] for line in path.read_text(encoding='utf-8').splitlines() if line.strip())
    if not names:
        raise ValueError(f'{path}: names no video')
    return [source_of(dict(filename=osp.join(root, name)), str(root), 'decord') for name in names]


def original_size(path: str) -> int:
    """Bytes of an original; of its first picture."""
    return os.stat(path).st_size


def open_frames(source: Source) -> Tuple[float, Iterator[np.ndarray]]:
    """Frames a second of an original (0: nobody knows), and its frames: BGR, uint8, (H, W, 3)."""
    if source.reader == 'frames':
        return 0., (_picture(source.pictures.format(source.first + i)) for i in range(source.frames))
    if source.reader == 'decord':
        video = decord.VideoReader(source.path, num_threads=1)
        return video.get_avg_fps(), (cv2.cvtColor(video[i].asnumpy(), cv2.COLOR_RGB2BGR) for i in range(len(video)))
    if source.reader == 'opencv':
        video = cv2.VideoCapture(source.path)
        return video.get(cv2.CAP_PROP_FPS), _opencv_frames(video)
    return _open_pyav(source.path)


def _opencv_frames(video: cv2.VideoCapture) -> Iterator[np.ndarray]:
    while True:
        there, frame = video.read()
        if not there:
            return
        yield frame


def _open_pyav(path: str) -> Tuple[float, Iterator[np.ndarray]]:
    av = pyav()
    with av.open(path) as container:
        rate = container.streams.video[0].average_rate

    def frames() -> Iterator[np.ndarray]:
        with av.open(path) as container:
            for frame in container.decode(video=0):
                yield cv2.cvtColor(frame.to_rgb().to_ndarray(), cv2.COLOR_RGB2BGR)

    return float(rate or 0), frames()


def _picture(path: str) -> np.ndarray:
    content = np.fromfile(path, np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if picture is None:
        raise ValueError(f'{path}: is no picture')
    return picture


def container_rate(fps: float) -> Fraction:
    """Frames a second as a file says it; 25 where nobody knows."""
    rate = Fraction(fps).limit_denominator(1001) if 0 < fps < float('inf') else Fraction(25)
    return rate if rate > 0 else Fraction(25)
