"""Read the manifest and the index of a frame store.

``STORE/grid_store.json`` holds the sizes of the copies. ``STORE/index.npy`` is
an array with one record for each video, sorted by the digests of the
originals. It is written when the build ends, and data workers map it into
memory.
"""

import json
import os
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

import numpy as np
from mmcv import imfrombytes

from .mjpeg import COPY, read_jpegs

MANIFEST = 'grid_store.json'
INDEX = 'index.npy'
# To be raised when the same sizes give other copies or another index.
VERSION = 5
THREADS = 16  # more than cores, because files may be on a network


def video_dtype(short_edges: Sequence[int]) -> np.dtype:
    """Return the dtype of a record: one video and its copies.

    ``fps`` is 0 if unknown, and ``frames`` is the number of frames that the
    reader of the original reports.
    """
    # With a byte order, so that a store can move to another machine.
    return np.dtype([('digest', '<u8'), ('fps', '<f8'), ('frames', '<u8'),
                     ('copies', COPY, (len(short_edges), ))])


def copy_path(store: str, short_edge: int, digest: int) -> str:
    """Return the path of the copy of an original with this digest."""
    name = f'{digest:016x}'
    # No folder holds more than a 256th of the copies.
    return f'{store}/{short_edge}/{name[:2]}/{name}.mjpeg'


def read_manifest(store: str) -> List[int]:
    """Read the manifest of a store.

    Args:
        store (str or Path): Folder of the store.

    Returns:
        list[int]: Short edges of its copies in pixels, rising.

    Raises:
        FileNotFoundError: There is no manifest.
        ValueError: It is broken or of another version.
    """
    where = f'frame store {os.path.abspath(store)!r}'
    try:
        manifest = json.loads(Path(store, MANIFEST).read_bytes())
        version, short_edges = manifest['version'], manifest['short_edges']
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f'{where}: has no {MANIFEST}; `mmaction-multigrid '
            'store build` makes a frame store') from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{where}: its {MANIFEST} is broken '
                         f'({error!r}); build another store') from error
    if version != VERSION:
        raise ValueError(f'{where}: is of version {version!r}, and '
                         'this package reads and writes version '
                         f'{VERSION}; build another store')
    return short_edges


class Index:
    """Read a store through its index, which is mapped into memory.

    Args:
        store (str or Path): Folder of the store.

    Raises:
        FileNotFoundError: There is no store.
        ValueError: The store is unfinished, broken or of another version.
    """

    def __init__(self, store: str) -> None:
        self.store, self.short_edges = str(store), read_manifest(store)
        where = f'frame store {os.path.abspath(store)!r}'
        try:
            # A plain array, because a memmap is slow to index.
            self.videos = np.load(
                Path(store, INDEX), mmap_mode='r').view(np.ndarray)
            if self.videos.dtype != video_dtype(self.short_edges):
                raise ValueError('it is of another store')
        except FileNotFoundError:
            raise ValueError(f'{where}: is not finished, or holds no copies; '
                             'run `mmaction-multigrid store build` '
                             'again') from None
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f'{where}: its {INDEX} is broken ({error}); '
                             'build another store') from error

    # Workers that are spawned map the file again instead of copying it.
    def __reduce__(self) -> tuple:
        return Index, (self.store, )

    def find(self, digest: int) -> Optional[int]:
        """Return the row of the video with a digest; None if it is missing."""
        # np.uint64, because numpy 1 compares Python ints with it as floats.
        digests, wanted = self.videos['digest'], np.uint64(digest)
        row = int(np.searchsorted(digests, wanted))
        return row if (digests[row:row + 1] == wanted).any() else None

    def path(self, row: int, edge: int) -> str:
        """Return the path of a video's copy with the ``edge``-th size."""
        return copy_path(self.store, self.short_edges[edge],
                         int(self.videos['digest'][row]))

    def read(self, row: int, edge: int,
             wanted: np.ndarray) -> List[np.ndarray]:
        """Read frames of a copy.

        Args:
            row (int): Row of the video.
            edge (int): Position of the copy's size.
            wanted (np.ndarray): Numbers of frames, from 0.

        Returns:
            list[np.ndarray]: Frames of shape (H, W, 3), RGB, uint8, each in
            separate memory.

        Raises:
            OSError, ValueError: See :func:`.mjpeg.read_jpegs`.
        """
        copy = self.videos['copies'][row, edge]
        # The reader may report more frames than were decoded. The table has
        # one row more than the copy has frames.
        nearest = np.minimum(wanted, int(copy['rows']) - 2).tolist()
        return [
            imfrombytes(jpeg, channel_order='rgb', backend='cv2')
            for jpeg in read_jpegs(self.path(row, edge), copy, nearest)
        ]

    def check(self) -> Iterator[str]:
        """Read all copies in full.

        Yields:
            str: For each copy the error, or an empty string.
        """
        with ThreadPool(THREADS) as pool:
            yield from pool.imap(self._check,
                                 np.ndindex(self.videos['copies'].shape))

    def _check(self, place: Tuple[int, int]) -> str:
        copy = self.videos['copies'][place]
        try:
            for _ in read_jpegs(
                    self.path(*place), copy, range(copy['rows'] - 1)):
                pass
        except (OSError, ValueError) as error:
            return str(error)
        return ''
