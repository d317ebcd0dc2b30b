"""Write the manifest, the logs and the index of a frame store.

Each part of a build appends the records of its copied videos to a log, and
writes the errors of the others when it ends. The last part moves everything
into the index and the list of errors.
"""

import fcntl
import io
import json
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Collection, Iterator, List, Set

import numpy as np

from ..checkpoints.checkpoint_hook import atomic_write
from .index import (INDEX, MANIFEST, VERSION, Index, copy_path, read_manifest,
                    video_dtype)

LOGS = 'log'  # folder
FAILED = 'failed.txt'  # one line for each video: its digest, path and error
MIN_SHORT_EDGE = 16  # pixels


def check_short_edges(short_edges: Collection[int]) -> List[int]:
    """Check and sort the sizes of a store's copies.

    Args:
        short_edges (Collection[int]): Short edges of the copies in pixels, at
            least 16.

    Returns:
        list[int]: The short edges, each once.

    Raises:
        ValueError: There is none, or one is too small.
    """
    if not short_edges or min(short_edges) < MIN_SHORT_EDGE:
        raise ValueError(f'sides = {list(short_edges)}: must be short edges '
                         f'of at least {MIN_SHORT_EDGE} pixels; if no shape '
                         'has a smaller crop than the base shape, give --full')
    return sorted(set(short_edges))


def prepare(store: Path, short_edges: List[int]) -> None:
    """Begin a store, or continue one of the same sizes.

    Raises:
        ValueError: The folder holds something else.
    """
    content = {path.name for path in store.glob('*')}
    if MANIFEST not in content:
        # A build that was killed may leave the temporary file.
        if content - {f'.{MANIFEST}.part'} or store.is_file():
            raise ValueError(
                f'{store}: must be new, an empty folder or a frame store')
        manifest = dict(version=VERSION, short_edges=short_edges)
        atomic_write(store / MANIFEST, json.dumps(manifest).encode())
    found = read_manifest(store)
    if found != short_edges:
        raise ValueError(f'{store}: holds a store of other short edges, '
                         f'{found}; give another folder')


@contextmanager
def locked(path: Path, kind: int) -> Iterator[IO]:
    """Open a file to append to, with a lock inside the ``with`` block.

    Args:
        path (Path): The file, which is created if it is missing.
        kind (int): As for ``fcntl.flock``.

    Raises:
        BlockingIOError: ``kind`` has ``LOCK_NB``, and another process holds
            the lock.
    """
    with open(path, 'ab') as file:
        try:
            fcntl.flock(file, kind)
        except BlockingIOError:
            raise
        except OSError:
            # Some network file systems have no locks. Parts of a build write
            # different files, so that a single user needs none.
            pass
        yield file


@contextmanager
def open_log(log: Path, size: int) -> Iterator[IO]:
    """Open the log of a part to append records to.

    Args:
        log (Path): Path of the log.
        size (int): Bytes of a record.

    Raises:
        ValueError: Another process is building this part.
    """
    store = log.parent.parent
    try:
        # Shared by all parts, while merge() needs it alone.
        with locked(store / 'lock', fcntl.LOCK_SH):
            log.parent.mkdir(exist_ok=True)
            with locked(log, fcntl.LOCK_EX | fcntl.LOCK_NB) as file:
                # A killed build may have written a part of a record.
                file.truncate(file.tell() // size * size)
                yield file
    except BlockingIOError:
        raise ValueError(f'{store}: another process is building its part '
                         f'{log.stem}') from None


def read_videos(store: Path, short_edges: List[int]) -> np.ndarray:
    """Read the records of the index and of all logs, sorted by digest."""
    dtype = video_dtype(short_edges)
    logs = sorted((store / LOGS).glob('*.log'))
    found = [np.fromfile(log, dtype) for log in logs]
    if (store / INDEX).exists():
        found.insert(0, Index(store).videos)
    # The last record of a video counts, because a lost copy is written again.
    # np.unique returns the first one, hence the reversal.
    videos = np.concatenate([np.empty(0, dtype), *found])[::-1]
    # A power failure can leave zeros in a log.
    videos = videos[videos['frames'] > 0]
    return videos[np.unique(videos['digest'], return_index=True)[1]]


def read_done(store: Path, short_edges: List[int]) -> Set[int]:
    """Return the digests of the videos whose copies are complete."""
    # One listing of folders is faster than a stat() of each copy, which may
    # be on a network.
    found = {
        str(path): path.stat().st_size
        for path in store.glob('*/*/*.mjpeg')
    }
    videos = read_videos(store, short_edges)
    digests, sizes = videos['digest'].tolist(), videos['copies']['size']
    return {
        digest
        for digest, row in zip(digests, sizes.tolist()) if all(
            found.get(copy_path(store, short_edge, digest)) == size
            for short_edge, size in zip(short_edges, row))
    }


def merge(store: Path, short_edges: List[int], parts: int) -> bool:
    """Move what all logs hold into the index.

    Args:
        store (Path): Folder of the store.
        short_edges (list[int]): Short edges of its copies in pixels.
        parts (int): Number of parts that must have ended before the first
            index is written.

    Returns:
        bool: Whether the index was written. The last part does that.
    """
    logs, content = store / LOGS, io.BytesIO()
    with suppress(BlockingIOError), \
            locked(store / 'lock', fcntl.LOCK_EX | fcntl.LOCK_NB):
        if (len([*logs.glob(f'*-of-{parts}.txt')]) < parts
                and not (store / INDEX).exists()):
            return False
        videos = read_videos(store, short_edges)
        if len(videos):
            np.save(content, videos)
            atomic_write(store / INDEX, content.getvalue())
        # A later build may have copied a video that failed before.
        copied = {b'%016x' % digest for digest in videos['digest'].tolist()}
        failed = {
            line
            for path in logs.glob('*.txt')
            for line in path.read_bytes().splitlines(keepends=True)
            if line.split(b'\t')[0] not in copied
        }
        atomic_write(store / FAILED, b''.join(sorted(failed)))
        shutil.rmtree(logs)
        return True
    return False
