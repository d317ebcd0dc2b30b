"""What a grid store holds: a manifest with its settings, and one index of all videos, which every data worker maps.

``STORE/grid_store.json`` is the manifest; it names the folder of the index, which holds numpy arrays: names, a record a
video, one a copy, one a frame. Both are replaced in one step, by a rename, and follow from what they hold to the byte.
"""

import json
import os
import os.path as osp
import shutil
import zlib
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple
from weakref import WeakValueDictionary

import numpy as np

from ..datasets.rules import READERS
from .avi import FRAME, Copy
from .names import video_key

MANIFEST = 'grid_store.json'
# Of what is written: raise it when the same settings give other copies, or
# the index another form.
VERSION = 3
VIDEO = np.dtype([('name_end', '<u8'), ('frames', '<u4'), ('width', '<u4'),
                  ('height', '<u4'), ('reader', '<u4'), ('fps', '<f8'),
                  ('digest', '<u8')])
COPY = np.dtype([('size', '<u8'), ('begin', '<u8'), ('rows', '<u4'),
                 ('crc', '<u4')])
ARRAYS = ('names', 'videos', 'copies', 'frames')


class Video(NamedTuple):
    """A video in a store.

    Attributes:
        name (str): Path below the folder of the originals; see :func:`.names.clip_name`.
        frames (int): Of the original, as its reader counts them.
        width, height (int): Of the original, in pixels.
        fps (float): Of the original; 0 where nobody knows it.
        reader (str): One of ``READERS``.
        digest (int): What tells the original from other files of that name;
            see ``sources.digest_of``.
        copies (tuple[Copy]): One for each side of the store.
    """
    name: str
    frames: int
    width: int
    height: int
    fps: float
    reader: str
    digest: int
    copies: Tuple[Copy, ...]


def read_manifest(store: str, where: str = 'grid store') -> Dict[str, Any]:
    """The manifest of a store.

    Args:
        store: Its folder.
        where: What the user calls it, for the message.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is broken, or of another version of this package.
    """
    path = Path(store) / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f'{where} = {str(store)!r}: has no {MANIFEST}; `mmaction-multigrid store build` makes a '
                                'grid store')
    try:
        manifest = json.loads(path.read_text(encoding='utf-8'))
        version = manifest['version']
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{where} = {str(store)!r}: its {MANIFEST} is broken ({error!r}); build another') from error
    if version != VERSION:
        raise ValueError(f'{where} = {str(store)!r}: is of version {version!r}, and this package reads and writes '
                         f'version {VERSION}; build another store')
    return manifest


def write_manifest(store: Path, manifest: Dict[str, Any]) -> None:
    """Write the manifest in one step."""
    part = store / f'{MANIFEST}.part'
    with open(part, 'w', encoding='utf-8') as file:
        file.write(json.dumps(manifest, indent=1) + '\n')
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, store / MANIFEST)


class Index:
    """The index of a store, mapped into memory: workers share it, and nothing is read that is not asked for.

    Args:
        store (str): Folder of the store.
        where (str): What the user calls it, for the message. Defaults to ``'grid store'``.

    Raises:
        FileNotFoundError, ValueError: There is no store, or an unfinished or broken one.
    """

    def __init__(self, store: str, where: str = 'grid store') -> None:
        self.store, self.where = str(store), where
        manifest = self.manifest = read_manifest(self.store, where)
        if not manifest.get('index'):
            raise ValueError(
                f'{where} = {self.store!r}: is not finished, or holds no '
                'copies; run `mmaction-multigrid store build` again')
        self.sides: Tuple[int, ...] = tuple(manifest['sides'])
        folder = Path(store) / manifest['index']
        try:
            arrays = [np.load(folder / f'{name}.npy', mmap_mode='r') for name in ARRAYS]
        except (OSError, ValueError) as error:
            raise ValueError(f'{where} = {self.store!r}: its index is missing or broken ({error}); build another '
                             'store') from error
        self.names, self.videos, self.copies, self.frames = (array.view(np.ndarray) for array in arrays)
        last = self.copies['begin'][-1, -1] if self.copies.size else 0
        if (self.videos.dtype != VIDEO or self.copies.shape != (len(self.videos), len(self.sides))
                or last > len(self.frames) or self.videos['name_end'][-1] != len(self.names)):
            raise ValueError(f'{where} = {self.store!r}: its index is of another store; build another store')

    def __len__(self) -> int:
        return len(self.videos)

    def name(self, row: int) -> str:
        """Name of a video; in the order of their bytes."""
        return self[row].decode('utf-8', 'surrogateescape')

    def __getitem__(self, row: int) -> bytes:
        if row >= len(self.videos):
            raise IndexError(row)
        begin = self.videos['name_end'][row - 1] if row else 0
        return self.names[begin:self.videos['name_end'][row]].tobytes()

    def key(self, row: int) -> str:
        """What the store calls a video."""
        return video_key(self.name(row), int(self.videos['digest'][row]))

    def rows(self) -> Dict[str, int]:
        """Row of every video, by its key."""
        return {self.key(row): row for row in range(len(self))}

    def find(self, name: str) -> range:
        """Rows of the videos of a name."""
        key = name.encode('utf-8', 'surrogateescape')
        return range(bisect_left(self, key), bisect_right(self, key))

    def match(self, name: str, digest: int) -> Optional[int]:
        """Row of a file's copies, first of those of its name; None: none."""
        digests = self.videos['digest']
        for row in self.find(name):
            if digests[row] == digest:
                return row
        # The file has another path than when it was copied.
        rows = np.flatnonzero(digests == digest)
        return int(rows[0]) if len(rows) else None

    def copy(self, row: int, side: int) -> Copy:
        """The copy of a video with the ``side``-th of the store's sides."""
        size, begin, rows, crc = self.copies[row, side].tolist()
        return Copy(size, crc, self.frames[begin:begin + rows])

    def video(self, row: int) -> Video:
        """All about a video."""
        _, frames, width, height, reader, fps, digest = self.videos[
            row].tolist()
        copies = tuple(self.copy(row, side) for side in range(len(self.sides)))
        return Video(
            self.name(row), frames, width, height, fps, READERS[reader],
            digest, copies)

    def __reduce__(self) -> tuple:
        return open_index, (self.store, self.where)


_open: 'WeakValueDictionary[tuple, Index]' = WeakValueDictionary()


def open_index(store: str, where: str = 'grid store') -> Index:
    """The index of a store; one for all pipelines of a process.

    Raises:
        FileNotFoundError, ValueError: See :class:`Index`.
    """
    key = (osp.realpath(store), json.dumps(read_manifest(store, where)))
    index = _open.get(key)
    if index is None:
        index = _open[key] = Index(store, where)
    return index


def write_index(store: Path, videos: Iterator[Video], settings: Dict[str, Any], count: int, rows: int) -> None:
    """Write the index and the manifest that names it; until its last step the store is what it was.

    Args:
        store: Folder of the store.
        videos: In the order of :func:`split_key`.
        settings: The rest of the manifest.
        count: Number of videos.
        rows: Entries of ``Copy.frames`` of all their copies.
    """
    folder = store / 'index.part'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    _write_arrays(folder, videos, (count, len(settings['sides'])), rows)
    name = f'index-{_checksum(folder):08x}'
    if (store / name).is_dir() and _checksum(store / name) == _checksum(folder):  # of a build that was broken off here
        shutil.rmtree(folder)
    else:
        shutil.rmtree(store / name, ignore_errors=True)
        os.replace(folder, store / name)
    write_manifest(store, dict(settings, index=name, videos=count))
    for path in store.glob('index*'):
        if path.name != name:
            shutil.rmtree(path)


def _write_arrays(folder: Path, videos: Iterator[Video], shape: Tuple[int, int], rows: int) -> None:
    table, copies = np.zeros(shape[0], VIDEO), np.zeros(shape, COPY)
    frames = np.lib.format.open_memmap(folder / 'frames.npy', 'w+', FRAME, (rows, ))
    names: List[bytes] = []
    end = begin = 0
    for row, video in enumerate(videos):
        names.append(video.name.encode('utf-8', 'surrogateescape'))
        end += len(names[-1])
        table[row] = (end, video.frames, video.width, video.height,
                      READERS.index(video.reader), video.fps, video.digest)
        for side, copy in enumerate(video.copies):
            copies[row, side] = (copy.size, begin, len(copy.frames), copy.crc)
            frames[begin:begin + len(copy.frames)] = copy.frames
            begin += len(copy.frames)
    frames.flush()
    for name, array in zip(ARRAYS, (np.frombuffer(b''.join(names), np.uint8), table, copies)):
        np.save(folder / f'{name}.npy', array)


def _checksum(folder: Path) -> int:
    crc = 0
    for name in ARRAYS:
        with open(folder / f'{name}.npy', 'rb+') as file:
            while block := file.read(2**24):
                crc = zlib.crc32(block, crc)
            os.fsync(file.fileno())
    return crc
