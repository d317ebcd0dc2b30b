"""Originals of a frame store: their list, digests and frames."""

import copy
import hashlib
import os
from itertools import chain, islice
from pathlib import Path
from typing import (Any, Iterable, List, Mapping, NamedTuple, Optional,
                    Sequence, Tuple)

import cv2
import numpy as np
from mmengine.config import Config

from ..config.base import with_pipelines
from ..core.transform_rules import (READERS, RULES, TransformRule,
                                    transform_name)
from ..loading.segments import frames_of_segment
from ..loading.train_data import build_dataset, clip_path, unwrap_datasets

SPLITS = ('train', 'val', 'test')
# To hash whole videos would read all data once more. These blocks differ even
# between two encodings of the same video.
BLOCK = 2**14  # bytes
BLOCKS = 4  # in a file, and the number of pictures of a folder


class Source(NamedTuple):
    """Description of an original.

    Attributes:
        path (str): Path of the file, or of the folder of pictures.
        reader (str): Reader in the pipeline: ``'decord'``, ``'pyav'`` or
            ``'opencv'``, or ``'frames'`` for pictures. Defaults to
            ``'decord'``.
        template (str): File name of a picture, such as ``'img_{:05}.jpg'``.
            Defaults to ``''``.
        first (int): Number of the first picture. Defaults to 1.
        frames (int): Number of pictures. Defaults to 0.
        segment (tuple, optional): Part of a video that is stored; see
            :func:`.segments.frames_of_segment`. Defaults to None.
        digest (int): See :func:`digest_of`. Defaults to 0.
    """
    path: str
    reader: str = 'decord'
    template: str = ''
    first: int = 1
    frames: int = 0
    segment: Optional[Tuple[float, float, str]] = None
    digest: int = 0

    def pictures(self, numbers: Iterable[int]) -> List[str]:
        """Return the paths of pictures, whose numbers count from 0."""
        return [
            os.path.join(self.path, self.template.format(self.first + number))
            for number in numbers
        ]


def source_of(info: Mapping, reader: str) -> Source:
    """Return the original of a clip.

    Args:
        info (Mapping): Description of the clip by its dataset.
        reader (str): One of ``READERS``.
    """
    path = clip_path(info, reader)
    if reader != 'frames':
        return Source(path, reader, segment=info.get('segment'))
    first = info['start_index'] + (info.get('offset') or 0)
    # A clip with boxes has the frames of its whole video, (0, number).
    frames = info.get('total_frames') or info['shot_info'][1]
    return Source(path, reader, info['filename_tmpl'], first, frames)


def digest_of(source: Source) -> int:
    """Hash the reader, the size and a few blocks of an original.

    For pictures, the hash is over the name of the folder, the number of the
    first picture, the number of pictures and a few of these.

    Returns:
        int: Hash of 64 bits; that of the path if the original cannot be read.
    """
    # The reader counts, because readers differ in frame numbers.
    header, paths = f'{source.reader} {source.first} ', [source.path]
    if source.segment:
        header += f'{source.segment} '
    if source.reader == 'frames':
        header += f'{source.frames} {os.path.basename(source.path)}'
        paths = source.pictures(_spread(source.frames - 1))
    digest = hashlib.blake2b(os.fsencode(header), digest_size=8)
    try:
        for path in paths:
            with open(path, 'rb', buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                digest.update(size.to_bytes(8, 'little'))
                for begin in _spread(size - BLOCK):
                    file.seek(begin)
                    digest.update(file.read(BLOCK))
    except OSError:
        digest.update(os.fsencode(source.path))
    return int.from_bytes(digest.digest(), 'little')


def weight_of(source: Source) -> float:
    """Return a number that the size of the copies is proportional to.

    Returns:
        float: Length of a segment, number of pictures, or size of a file in
        bytes, which is 0 if it cannot be read.
    """
    if source.segment:
        return source.segment[1] - source.segment[0]
    try:
        return source.frames or os.path.getsize(source.path)
    except OSError:
        return 0


def _spread(last: int) -> List[int]:
    """Return at most ``BLOCKS`` numbers from 0 to ``last``."""
    return sorted({max(0, last) * i // (BLOCKS - 1) for i in range(BLOCKS)})


def open_frames(source: Source) -> tuple:
    """Open an original.

    Returns:
        tuple: Frames per second (0 except for decord); the number of frames
        that the reader reports to a pipeline (0 if it is unknown); an
        iterator over the frames of the segment, or of the file, that can be
        decoded, of shape (H, W, 3), BGR, uint8.

    Raises:
        Exception: Any error of the reader.
    """
    path = source.path
    if source.reader == 'frames':
        paths = source.pictures(range(source.frames))
        return 0., len(paths), map(_read_picture, paths)
    if source.reader == 'decord':
        import decord  # only this reader needs it
        video = decord.VideoReader(path, num_threads=1)
        fps, total = video.get_avg_fps(), len(video)
        # Only this reader jumps to a frame instead of decoding all before it.
        return fps, total, (
            cv2.cvtColor(video[number].asnumpy(), cv2.COLOR_RGB2BGR)
            for number in range(total)[slice(*_span(source, fps, total))])
    if source.reader == 'opencv':
        video = cv2.VideoCapture(path)
        total = max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT)))
        return 0., total, (frame for _, frame in islice(
            iter(video.read, (False, None)), *_span(source, 0., total)))
    import av  # MMAction2 does not require it
    container = av.open(path)
    total = container.streams.video[0].frames
    return 0., total, (
        frame.to_ndarray(format='bgr24') for frame in islice(
            container.decode(video=0), *_span(source, 0., total)))


def _span(source: Source, fps: float, total: int) -> Tuple[int, Optional[int]]:
    """Return the first frame to store, and the one behind the last."""
    if source.segment is None:
        return 0, None
    return frames_of_segment(source.segment, fps, total)


def _read_picture(path: str) -> np.ndarray:
    picture = cv2.imread(path)
    if picture is None:
        raise ValueError(f'{path}: is no picture')
    return picture


def rule_of(step: Any) -> TransformRule:
    """Return the rule of a transform; without one, that of any shape."""
    # Without multigrid a user's transform needs no rule.
    return RULES.get(transform_name(step), TransformRule())


def stored_reader(dataset: Mapping) -> str:
    """Return the reader of the frames that a dataset's pipeline decodes.

    Raises:
        ValueError: A frame store does not support it.
    """
    if transform_name(dataset) == 'RepeatAugDataset':
        raise ValueError('frame store: RepeatAugDataset opens and decodes '
                         'videos by itself')
    reader = next(
        filter(None, (rule_of(step).decodes for step in dataset['pipeline'])),
        None)
    if reader not in READERS:
        raise ValueError('frame store: the pipeline opens no videos; it has '
                         f'no decoder of {", ".join(READERS)}')
    return reader


def sources_of(cfg: Config,
               listed: Optional[Path] = None,
               root: Optional[Path] = None,
               splits: Sequence[str] = SPLITS[:1]) -> List[Source]:
    """List the originals of a config's data, each once.

    Args:
        cfg (Config): The config.
        listed (Path, optional): Annotation file that replaces that of the
            first dataset. Defaults to None.
        root (Path, optional): Folder that replaces that of its clips.
            Defaults to None.
        splits (Sequence[str]): Of ``SPLITS`` those to list. Defaults to
            ``('train', )``.

    Raises:
        ValueError: The clips are not RGB or in an archive, or there are none;
            or ``root`` is no folder.
    """
    datasets = [copy.deepcopy(dataset_of(cfg, split)) for split in splits]
    configs = [each for one in datasets for each in with_pipelines(one)]
    readers = [stored_reader(config) for config in configs]
    if listed is not None:
        configs[0]['ann_file'] = os.path.abspath(listed)
    if root is not None:
        if not os.path.isdir(root):
            raise ValueError(f'--root {root}: is no folder')
        configs[0]['data_prefix'] = {
            'img' if readers[0] == 'frames' else 'video': os.path.abspath(root)
        }
    for config in configs:
        if config.get('modality', 'RGB') != 'RGB':
            raise ValueError(f'dataset.modality = {config["modality"]!r}: '
                             'a frame store holds RGB')
        # Only names of clips are needed, and transforms may need more files.
        config['pipeline'] = []
    leaves = chain.from_iterable(
        unwrap_datasets(build_dataset(dataset)) for dataset in datasets)
    found = dict.fromkeys(
        source_of(data.get_data_info(index), reader)
        for data, reader in zip(leaves, readers) for index in range(len(data)))
    if not found:
        raise ValueError(f'{splits[0]}_dataloader.dataset: names no video')
    for folder in Path(next(iter(found)).path).parents:
        if folder.is_file():
            raise ValueError(f'{folder}: is a file; a frame store reads '
                             'videos in folders, so that archives such as '
                             'tar and zip must be unpacked')
    return list(found)


def dataset_of(cfg: Config, split: str) -> Mapping:
    """Return the config of the dataset of a split."""
    loader = cfg.get(f'{split}_dataloader')
    if not loader:
        raise ValueError(f'{split}_dataloader: is missing in the config')
    return loader['dataset']
