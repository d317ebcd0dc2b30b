"""The originals of a store: videos and folders of pictures."""

import copy
import hashlib
import os
import os.path as osp
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, List, Mapping, Optional, Sequence

import cv2
import numpy as np
from mmengine.config import Config

from ..config.base import with_pipelines
from ..core.transform_rules import READERS, find_rule
from ..loading.train_data import (build_dataset, clip_path, read_list,
                                  unwrap_datasets)
from .avi import pyav
from .index import video_key

BLOCK = 2**14  # bytes of each block that is hashed
BLOCKS = 4  # in a file; the same number of pictures of a folder


@dataclass(frozen=True)
class Source:
    """Describes an original.

    Attributes:
        name (str): Path below the folder of the clips.
        path (str): Path of the file, or of the folder of pictures.
        reader (str): ``'decord'``, ``'pyav'`` or ``'opencv'``, as the
            pipeline reads it; ``'frames'``: pictures.
        template (str): File name of a picture, as ``'img_{:05}.jpg'``.
        first (int): Number of the first picture.
        frames (int): Number of pictures.
        digest (int): See :func:`digest_of`.
    """
    name: str
    path: str
    reader: str = 'decord'
    template: str = ''
    first: int = 1
    frames: int = 0
    digest: int = 0

    @property
    def key(self) -> str:
        """str: Identifier in the store."""
        return video_key(self.name, self.digest)

    def pictures(self, numbers: Iterable[int]) -> List[str]:
        """Return the paths of pictures, which are counted from 0."""
        return [
            osp.join(self.path, self.template.format(self.first + number))
            for number in numbers
        ]


def clip_name(path: str, root: str) -> str:
    """Return the path of a clip below a folder.

    Args:
        path (str): Path of the clip.
        root (str): The folder.

    Returns:
        str: The path below ``root``; of a clip elsewhere, the absolute path
        without its first slash.
    """
    base = osp.abspath(root) if root or not osp.isabs(path) else '/'
    path = osp.abspath(path)
    below = path.startswith(f'{base}/')
    return path[len(base) * below:].lstrip('/')


def source_of(info: Mapping, root: str, reader: str) -> Source:
    """Return the original of a clip.

    Args:
        info (Mapping): What its dataset knows about the clip.
        root (str): Folder of the clips.
        reader (str): One of ``READERS``.
    """
    path = clip_path(info, reader)
    name = clip_name(path, root)
    if reader != 'frames':
        return Source(name, path, reader)
    offset = info.get('offset') or 0
    return Source(f'{name}+{offset}' if offset else name, path, reader,
                  info['filename_tmpl'], info['start_index'] + offset,
                  info['total_frames'])


def digest_of(source: Source) -> int:
    """Hash the reader, the size and a few blocks of an original.

    Of pictures, their number and a few of them are hashed.

    Returns:
        int: 64 bits; 0 if the original cannot be read.
    """
    header = f'{source.reader} {source.frames}'.encode()
    digest = hashlib.blake2b(header, digest_size=8)
    paths = [source.path]
    if source.reader == 'frames':
        paths = source.pictures(_spread(source.frames - 1))
    with suppress(OSError):
        for path in paths:
            with open(path, 'rb', buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                digest.update(size.to_bytes(8, 'little'))
                for begin in _spread(size - BLOCK):
                    file.seek(begin)
                    digest.update(file.read(BLOCK))
        return int.from_bytes(digest.digest(), 'little')
    return 0


def _spread(last: int) -> List[int]:
    """Return at most ``BLOCKS`` numbers from 0 to ``last``."""
    return sorted({max(0, last) * i // (BLOCKS - 1) for i in range(BLOCKS)})


def open_frames(source: Source) -> tuple:
    """Open an original.

    Returns:
        tuple: Frames per second (0 but for decord); their number as its reader
        reports it to a pipeline (0: it decodes to count); an iterator over
        the frames that can be decoded: BGR, uint8, (H, W, 3).

    Raises:
        Exception: Of any type, as the reader raises it.
    """
    path = source.path
    if source.reader == 'frames':
        paths = source.pictures(range(source.frames))
        return 0., len(paths), map(_read_picture, paths)
    if source.reader == 'decord':
        import decord
        video = decord.VideoReader(path, num_threads=1)
        return video.get_avg_fps(), len(video), (
            cv2.cvtColor(frame.asnumpy(), cv2.COLOR_RGB2BGR)
            for frame in video)
    if source.reader == 'opencv':
        video = cv2.VideoCapture(path)
        number = max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT)))
        return 0., number, (frame
                            for _, frame in iter(video.read, (False, None)))
    container = pyav().open(path)
    return 0., container.streams.video[0].frames, (
        frame.to_ndarray(format='bgr24')
        for frame in container.decode(video=0))


def _read_picture(path: str) -> np.ndarray:
    picture = cv2.imread(path)
    if picture is None:
        raise ValueError(f'{path}: is no picture')
    return picture


def find_root(dataset: Mapping) -> str:
    """Return the folder of the clips of a dataset's config."""
    prefix = dataset.get('data_prefix') or {}
    if isinstance(prefix, Mapping):
        prefix = prefix.get('video') or prefix.get('img') or ''
    return osp.join(dataset.get('data_root') or '', prefix)


def stored_reader(pipeline: Sequence[Any]) -> str:
    """Find the reader of the frames that a pipeline decodes.

    Raises:
        ValueError: A store has no copies for it.
    """
    rules = map(find_rule, pipeline)
    reader = next((rule.decodes for rule in rules if rule.decodes), None)
    if reader not in READERS:
        raise ValueError('multigrid.grid_store: the train pipeline opens no '
                         f'videos; it has no decoder of {", ".join(READERS)}')
    return reader


def sources_of(cfg: Config,
               listed: Optional[Path] = None,
               root: Optional[Path] = None) -> List[Source]:
    """List the originals of a config's train data, each once.

    Args:
        cfg (Config): Any config.
        listed (Path, optional): Another annotation file, for the first
            dataset of the config.
        root (Path, optional): Another folder of its clips.

    Raises:
        ValueError: The clips are not RGB, or there are none.
    """
    dataset = copy.deepcopy(cfg['train_dataloader']['dataset'])
    configs = list(with_pipelines(dataset))
    readers = [stored_reader(config['pipeline']) for config in configs]
    if listed is not None:
        configs[0]['ann_file'] = osp.abspath(listed)
    if root is not None:
        key = 'img' if readers[0] == 'frames' else 'video'
        configs[0]['data_prefix'] = {key: osp.abspath(root)}
    for config in configs:
        if config.get('modality', 'RGB') != 'RGB':
            raise ValueError(f'dataset.modality = {config["modality"]!r}: '
                             'a grid store holds RGB')
        config['pipeline'] = []
    datasets = zip(
        unwrap_datasets(build_dataset(dataset)), map(find_root, configs),
        readers)
    found = dict.fromkeys(
        source_of(data.get_data_info(index), folder, reader)
        for data, folder, reader in datasets for index in range(len(data)))
    if not found:
        raise ValueError('train_dataloader.dataset: names no video')
    return list(found)


def sources_in(listed: Path,
               root: Path,
               delimiter: Optional[str] = None) -> List[Source]:
    """List the videos of an annotation file, each once.

    Args:
        listed (Path): The annotation file.
        root (Path): Folder that its paths are relative to.
        delimiter (str, optional): Between path and label. Defaults to white
            space.

    Raises:
        FileNotFoundError, ValueError: See :func:`..schedule.read_list`; or
            it names no video.
    """
    names = dict.fromkeys(line.strip().split(delimiter)[0]
                          for line in read_list(listed))
    if not names:
        raise ValueError(f'{listed}: names no video')
    return [
        source_of(dict(filename=osp.join(root, name)), str(root), 'decord')
        for name in names
    ]
