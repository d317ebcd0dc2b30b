"""What a store is made from: videos and folders of pictures, and what numbers their frames."""

import copy
import hashlib
import os
import os.path as osp
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from mmengine.config import Config
from mmengine.fileio import join_path
from mmengine.utils import is_abs

from ..datasets import build_dataset, leaves
from ..datasets.rules import READERS, clip_path, find_rule
from ..schedule import read_list
from .names import clip_name, video_key

BLOCK = 2**14  # bytes that are looked at in one place of an original
LOOKS = 4  # such places in a file, and pictures of a folder


@dataclass(frozen=True)
class Source:
    """An original.

    Attributes:
        name (str): Its path below the folder of the clips.
        path (str): Of the file, or of the first picture.
        reader (str): ``decord``, ``pyav`` or ``opencv``, whose frame numbers the pipeline means; ``frames``: pictures.
        pictures (str, optional): Path of a picture, with ``{}`` or the like for its number.
        first, frames (int): Number of the first picture, and how many there are.
        digest (int): See :func:`digest_of`. 0: the original is not here.
    """
    name: str
    path: str
    reader: str = 'decord'
    pictures: Optional[str] = None
    first: int = 1
    frames: int = 0
    digest: int = 0

    @property
    def key(self) -> str:
        """What the store calls it."""
        return video_key(self.name, self.digest)


def source_of(info: Mapping, root: str, reader: str) -> Source:
    """The original of the clip that a data set describes."""
    path = clip_path(info, reader)
    name = clip_name(path, root)
    if reader != 'frames':
        return Source(name, path, reader)
    offset = info.get('offset') or 0
    pictures, first = osp.join(path, info['filename_tmpl']), info['start_index']
    first += offset
    return Source(f'{name}+{offset}' if offset else name,
                  pictures.format(first), reader, pictures, first,
                  info['total_frames'])


def digest_of(source: Source) -> int:
    """Compute a number that tells an original from other files.

    It follows from the reader, the size and a few blocks of the content: of
    the file, or of a few of its pictures and their number.

    Raises:
        OSError: The original cannot be read.
    """
    header = f'{source.reader} {source.frames}'.encode()
    digest = hashlib.blake2b(header, digest_size=8)
    paths = [source.path]
    if source.reader == 'frames':
        paths = [source.pictures.format(source.first + number)
                 for number in _spread(source.frames - 1)]
    for path in paths:
        with open(path, 'rb', buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            digest.update(size.to_bytes(8, 'little'))
            for begin in _spread(size - BLOCK):
                digest.update(os.pread(file.fileno(), BLOCK, begin))
    return int.from_bytes(digest.digest(), 'little') or 1


def _spread(last: int) -> List[int]:
    """Numbers from 0 to ``last``, at most ``LOOKS`` of them."""
    return sorted({max(0, last) * i // (LOOKS - 1) for i in range(LOOKS)})


def find_root(dataset: Mapping) -> str:
    """Folder of the clips of a data set, from its config."""
    prefix = dataset.get('data_prefix')
    if isinstance(prefix, Mapping):
        prefix = next((prefix[key] for key in ('video', 'img') if prefix.get(key)), '')
    prefix, data_root = prefix or '', dataset.get('data_root')
    return join_path(data_root, prefix) if data_root and not is_abs(prefix) else prefix


def stored_reader(pipeline: Sequence[Any]) -> str:
    """Find what numbers the frames that a pipeline decodes.

    Raises:
        ValueError: Nothing that a store can stand in for.
    """
    decoders = [find_rule(step).decodes for step in pipeline]
    reader = next(filter(None, decoders), None)
    if reader not in READERS:
        raise ValueError(
            'multigrid.grid_store: the train pipeline opens no videos; it has '
            f'no decoder of {", ".join(READERS)}')
    return reader


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
    reader = stored_reader(configs[0]['pipeline'])
    key = 'img' if reader == 'frames' else 'video'
    if listed is not None:
        configs[0]['ann_file'] = osp.abspath(listed)
    if root is not None:
        configs[0]['data_prefix'] = {key: osp.abspath(root)}
    readers = [(find_root(config), stored_reader(config['pipeline']))
               for config in configs]
    for config in configs:
        if config.get('modality', 'RGB') != 'RGB':
            raise ValueError(f'dataset.modality = {config["modality"]!r}: a grid store holds RGB')
        config['pipeline'] = []
    found: Dict[Source, None] = {}
    built = build_dataset(dataset)
    for data, (folder, reader) in zip(leaves(built), readers):
        for index in range(len(data)):
            found[source_of(data.get_data_info(index), folder, reader)] = None
    if not found:
        raise ValueError('train_dataloader.dataset: names no video')
    return list(found)


def _configs(dataset: Any) -> Iterator[Dict[str, Any]]:
    """Configs of the data sets that have clips of their own, in the order of :func:`..datasets.leaves`."""
    if isinstance(dataset, (list, tuple)):
        for entry in dataset:
            yield from _configs(entry)
    elif dataset.get('pipeline'):
        yield dataset
    else:
        yield from _configs(dataset.get('dataset') or dataset.get('datasets') or ())


def sources_in(listed: Path, root: Path,
               delimiter: Optional[str] = None) -> List[Source]:
    """The videos in an annotation file; each once.

    Args:
        listed: The annotation file.
        root: Folder that its paths are relative to.
        delimiter: Between path and label. Defaults to white space.

    Raises:
        FileNotFoundError, ValueError: See :func:`..schedule.read_list`; or
            it names no video.
    """
    names = dict.fromkeys(line.strip().split(delimiter)[0]
                          for line in read_list(listed))
    if not names:
        raise ValueError(f'{listed}: names no video')
    return [source_of(dict(filename=osp.join(root, name)), str(root), 'decord') for name in names]
