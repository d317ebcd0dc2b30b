"""The manifest and the index of a grid store.

``STORE/grid_store.json`` is the manifest: the settings, and the name of the
index folder. The index holds numpy arrays: names, one record for each video,
one for each copy, one for each frame. Data workers map it into memory.
"""

import json
import os
import zlib
from bisect import bisect_left, bisect_right
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from ..core.transform_rules import READERS
from .avi import Copy, read_frames

MANIFEST = 'grid_store.json'
# Raise it when the same settings give other copies or another index.
VERSION = 3
VIDEO = np.dtype([('name_end', '<u8'), ('frames', '<u4'), ('width', '<u4'),
                  ('height', '<u4'), ('reader', '<u4'), ('fps', '<f8'),
                  ('digest', '<u8')])
COPY = np.dtype([('size', '<u8'), ('begin', '<u8'), ('rows', '<u4'),
                 ('crc', '<u4')])
ARRAYS = ('names', 'videos', 'copies', 'frames')


def video_key(name: str, digest: int) -> str:
    """Return the identifier of a video in a store."""
    return f'{name}.{digest:016x}'


class Video(NamedTuple):
    """Describes a video in a store, or one that could not be copied.

    Attributes:
        name (str): Path below the folder of the originals.
        frames (int): Number of frames that its reader reports.
        width, height (int): Of the original, in pixels.
        fps (float): Frames per second; 0 if unknown.
        reader (str): One of ``READERS``.
        digest (int): Hash of the original; see ``sources.digest_of``.
        copies (tuple[Copy]): One for each side of the store.
        error (str): Why it could not be copied; empty if it was.
    """
    name: str
    frames: int
    width: int
    height: int
    fps: float
    reader: str
    digest: int
    copies: Sequence[Copy]
    error: str = ''

    @property
    def key(self) -> str:
        """str: Identifier in the store."""
        return video_key(self.name, self.digest)


def copy_path(store: str, side: int, key: str) -> str:
    """Return the path of a video's copy with this short side."""
    return f'{store}/{side}/{key}.avi'


def read_manifest(store: str, where: str = 'grid store') -> Dict[str, Any]:
    """Read the manifest of a store.

    Args:
        store (str or Path): Folder of the store.
        where (str): Config key or the like, for the message.

    Raises:
        FileNotFoundError: There is no manifest.
        ValueError: It is broken or of another version.
    """
    where = f'{where} = {str(store)!r}'
    try:
        manifest = json.loads(Path(store, MANIFEST).read_bytes())
        version = manifest['version']
    except FileNotFoundError:
        raise FileNotFoundError(
            f'{where}: has no {MANIFEST}; `mmaction-multigrid '
            'store build` makes a grid store') from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{where}: its {MANIFEST} is broken '
                         f'({error!r}); build another') from error
    if version != VERSION:
        raise ValueError(f'{where}: is of version {version!r}, and '
                         'this package reads and writes version '
                         f'{VERSION}; build another store')
    return manifest


def atomic_write(path: Path, text: str) -> None:
    """Replace a file's content in one step."""
    part = path.with_name(f'{path.name}.part')
    with open(part, 'w', encoding='utf-8', errors='surrogateescape') as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def write_manifest(store: Path, manifest: Dict[str, Any]) -> None:
    """Write the manifest of a store."""
    atomic_write(store / MANIFEST, json.dumps(manifest, indent=1) + '\n')


class Index:
    """Read a store through its index, which is mapped into memory.

    As a sequence it holds the names of the videos, sorted, as bytes.

    Args:
        store (str or Path): Folder of the store.
        where (str): Config key or the like, for messages.

    Raises:
        FileNotFoundError: There is no store.
        ValueError: The store is unfinished, broken or of another version.
    """

    def __init__(self, store: str, where: str = 'grid store') -> None:
        self.store, self.manifest = str(store), read_manifest(store, where)
        where = f'{where} = {self.store!r}'
        if not self.manifest.get('index'):
            raise ValueError(f'{where}: is not finished, or holds no copies; '
                             'run `mmaction-multigrid store build` again')
        self.sides = self.manifest['sides']
        folder = Path(store, self.manifest['index'])
        try:
            self.names, self.videos, self.copies, self.frames = (
                np.load(folder / f'{name}.npy', mmap_mode='r').view(np.ndarray)
                for name in ARRAYS)
            shape = len(self), len(self.sides)
            if (self.videos.dtype, self.copies.shape) != (VIDEO, shape):
                raise ValueError('it is of another store')
        except (OSError, ValueError) as error:
            raise ValueError(f'{where}: its index is missing or broken '
                             f'({error}); build another store') from error

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, row: int) -> bytes:
        begin = self.videos['name_end'][row - 1] if row else 0
        return self.names[begin:self.videos['name_end'][row]].tobytes()

    def __reduce__(self) -> tuple:
        return Index, (self.store, )

    def find(self, name: str) -> range:
        """Find the rows of all videos of a name."""
        key = os.fsencode(name)
        return range(bisect_left(self, key), bisect_right(self, key))

    def path(self, row: int, side: int) -> str:
        """Return the path of a video's copy with the ``side``-th size."""
        digest = int(self.videos['digest'][row])
        key = video_key(os.fsdecode(self[row]), digest)
        return copy_path(self.store, self.sides[side], key)

    def copy(self, row: int, side: int) -> Copy:
        """Return a video's copy with the ``side``-th of the sizes."""
        size, begin, rows, crc = self.copies[row, side].tolist()
        return Copy(size, crc, self.frames[begin:begin + rows])

    def read(self, row: int, side: int,
             wanted: np.ndarray) -> List[np.ndarray]:
        """Read the frames of a copy that are nearest to those wanted.

        Args:
            row (int): Row of the video.
            side (int): Position of the copy's size.
            wanted (np.ndarray): Numbers of the original's frames, from 0.

        Raises:
            OSError, ValueError: See :func:`.avi.read_frames`.
        """
        stride = self.manifest['frame_stride']
        frames = self.copy(row, side).frames
        # Fewer frames than the reader reports may have been decoded.
        nearest = np.minimum((wanted + stride // 2) // stride, len(frames) - 2)
        return read_frames(self.path(row, side), frames, nearest.tolist())

    def check(self, threads: int = 1) -> Iterator[Tuple[str, str]]:
        """Read all copies in full.

        Args:
            threads (int): Number of copies to read in parallel.

        Yields:
            tuple[str, str]: Path, and what is wrong; empty if nothing is.
        """
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(self._check,
                                *zip(*np.ndindex(self.copies.shape)))

    def _check(self, row: int, side: int) -> Tuple[str, str]:
        path = self.path(row, side)
        try:
            crc = zlib.crc32(Path(path).read_bytes())
        except OSError as error:
            return path, f'cannot be read: {error.strerror}'
        return path, 'is damaged' * (crc != self.copy(row, side).crc)

    def all_videos(self) -> Iterator[Video]:
        """Iterate over the videos, in the order of the rows."""
        for row, name in enumerate(self):
            _, *values, reader, fps, digest = self.videos[row].tolist()
            copies = [self.copy(row, side) for side in range(len(self.sides))]
            yield Video(
                os.fsdecode(name), *values, fps, READERS[reader], digest,
                copies)
