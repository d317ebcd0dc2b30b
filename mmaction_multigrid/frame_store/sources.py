"""Originals of a frame store, and the sizes of their copies."""

import copy
import hashlib
import os
from pathlib import Path
from typing import (Any, Iterable, List, Mapping, NamedTuple, Optional,
                    Sequence, Set)

import cv2
import numpy as np
from mmengine.config import Config

from ..config import multigrid_schedule
from ..config.base import with_pipelines
from ..core.transform_rules import (READERS, RULES, TransformRule,
                                    transform_name)
from ..loading.train_data import build_dataset, clip_path, unwrap_datasets

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
        digest (int): See :func:`digest_of`. Defaults to 0.
    """
    path: str
    reader: str = 'decord'
    template: str = ''
    first: int = 1
    frames: int = 0
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
        return Source(path, reader)
    first = info['start_index'] + (info.get('offset') or 0)
    return Source(path, reader, info['filename_tmpl'], first,
                  info['total_frames'])


def digest_of(source: Source) -> int:
    """Hash the reader, the size and a few blocks of an original.

    For pictures, the hash is over the name of the folder, the number of the
    first picture, the number of pictures and a few of these.

    Returns:
        int: Hash of 64 bits; that of the path if the original cannot be read.
    """
    # The reader counts, because readers differ in frame numbers.
    header, paths = f'{source.reader} {source.first} ', [source.path]
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


def _spread(last: int) -> List[int]:
    """Return at most ``BLOCKS`` numbers from 0 to ``last``."""
    return sorted({max(0, last) * i // (BLOCKS - 1) for i in range(BLOCKS)})


def open_frames(source: Source) -> tuple:
    """Open an original.

    Returns:
        tuple: Frames per second (0 except for decord); the number of frames
        that the reader reports to a pipeline (0 if it is unknown); an
        iterator over the frames that can be decoded, of shape (H, W, 3), BGR,
        uint8.

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
        return video.get_avg_fps(), len(video), (
            cv2.cvtColor(frame.asnumpy(), cv2.COLOR_RGB2BGR)
            for frame in video)
    if source.reader == 'opencv':
        video = cv2.VideoCapture(path)
        return 0., max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT))), (
            frame for _, frame in iter(video.read, (False, None)))
    import av  # MMAction2 does not require it
    container = av.open(path)
    return 0., container.streams.video[0].frames, (
        frame.to_ndarray(format='bgr24')
        for frame in container.decode(video=0))


def _read_picture(path: str) -> np.ndarray:
    picture = cv2.imread(path)
    if picture is None:
        raise ValueError(f'{path}: is no picture')
    return picture


def rule_of(step: Any) -> TransformRule:
    """Return the rule of a transform; without one, that of any shape."""
    # Without multigrid a user's transform needs no rule.
    return RULES.get(transform_name(step), TransformRule())


def stored_reader(pipeline: Sequence[Any]) -> str:
    """Return the reader of the frames that a pipeline decodes.

    Raises:
        ValueError: A frame store does not support it.
    """
    if 'SampleAVAFrames' in map(transform_name, pipeline):
        raise ValueError('frame store: clips of SampleAVAFrames have boxes '
                         'and are read from originals; leave the store out')
    reader = next(
        filter(None, (rule_of(step).decodes for step in pipeline)), None)
    if reader not in READERS:
        raise ValueError('frame store: the pipeline opens no videos; it has '
                         f'no decoder of {", ".join(READERS)}')
    return reader


def sources_of(cfg: Config,
               listed: Optional[Path] = None,
               root: Optional[Path] = None) -> List[Source]:
    """List the originals of a config's train data, each once.

    Args:
        cfg (Config): The config.
        listed (Path, optional): Annotation file that replaces that of the
            first dataset of the config. Defaults to None.
        root (Path, optional): Folder that replaces that of its clips.
            Defaults to None.

    Raises:
        ValueError: The clips are not RGB, or there are none.
    """
    dataset = copy.deepcopy(cfg['train_dataloader']['dataset'])
    configs = list(with_pipelines(dataset))
    readers = [stored_reader(config['pipeline']) for config in configs]
    if listed is not None:
        configs[0]['ann_file'] = os.path.abspath(listed)
    if root is not None:
        configs[0]['data_prefix'] = {
            'img' if readers[0] == 'frames' else 'video': os.path.abspath(root)
        }
    for config in configs:
        if config.get('modality', 'RGB') != 'RGB':
            raise ValueError(f'dataset.modality = {config["modality"]!r}: '
                             'a frame store holds RGB')
        # Only names of clips are needed, and transforms may need more files.
        config['pipeline'] = []
    datasets = zip(unwrap_datasets(build_dataset(dataset)), readers)
    found = dict.fromkeys(
        source_of(data.get_data_info(index), reader)
        for data, reader in datasets for index in range(len(data)))
    if not found:
        raise ValueError('train_dataloader.dataset: names no video')
    return list(found)


def scale_short_edge(short_edge: int, crop_size: int, base_crop: int) -> int:
    """Scale the short edge of the frames of a base clip to another crop."""
    # As scale_pixels does it for Resize, which then finds frames of its size.
    return max(1, round(short_edge * crop_size / base_crop))


def read_short_edge(pipeline: Sequence[Any]) -> int:
    """Return the short edge of the frames that a train pipeline crops.

    Returns:
        int: Short edge in pixels. If it is drawn at random, the largest one.

    Raises:
        ValueError: The pipeline crops before it resizes.
    """
    for step in pipeline:
        name, scale = transform_name(step), step.get('scale')
        if name == 'RandomRescale':
            return max(step['scale_range'])
        if name == 'Resize' and isinstance(scale, (list, tuple)):
            # (-1, 256) sets the short edge. Of two positive numbers the
            # smaller one limits it.
            return max(scale) if -1 in scale else min(scale)
        if 'Crop' in name:
            break
    raise ValueError('frame store: needs a pipeline that resizes to pixels '
                     'before it crops; put '
                     "dict(type='Resize', scale=(-1, 256)) before the crop")


def short_edges_of(cfg: Config, full: bool = False) -> Set[int]:
    """Compute the short edges, in pixels, of the copies for a config.

    Args:
        cfg (Config): The config. Without ``multigrid`` all clips are full.
        full (bool): Whether full clips are read from the store, too. Defaults
            to False.

    Raises:
        ValueError: See :func:`read_short_edge`.
    """
    found = {
        read_short_edge(dataset['pipeline'])
        for dataset in with_pipelines(cfg.train_dataloader.dataset)
    }
    if 'multigrid' not in cfg:
        return found
    schedule, _ = multigrid_schedule(cfg)
    base = schedule.base.crop_size
    crops = {
        shape.crop_size
        for stage in schedule.stages for shape in stage.shapes
    }
    return {
        scale_short_edge(short_edge, crop, base)
        for short_edge in found for crop in crops | {base}
        if full or crop < base
    }
