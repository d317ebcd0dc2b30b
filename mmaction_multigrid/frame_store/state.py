"""Write the manifest, the logs and the index of a grid store.

Each part of a build has a log with one line for each video. A merge moves
everything from the logs into the index and removes them.
"""

import base64
import fcntl
import json
import os
import shutil
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Iterable, Iterator, Sequence, Set, Tuple

import numpy as np

from ..core.transform_rules import READERS
from .avi import FRAME, Copy
from .index import (ARRAYS, COPY, MANIFEST, VERSION, VIDEO, Index, Video,
                    atomic_write, read_manifest, write_manifest)

MIN_SIDE = 16  # pixels
LOGS = 'log'  # folder
FAILED = 'failed.txt'  # one line for each video: its key, path and error


def store_settings(sides: Sequence[int],
                   quality: int = 90,
                   frame_stride: int = 1) -> dict:
    """Check what is to be stored.

    Args:
        sides (Sequence[int]): Short sides in pixels, at least 16.
        quality (int): JPEG quality, from 1 to 100. Defaults to 90.
        frame_stride (int): Distance of the frames that are kept. Defaults
            to 1, all frames.

    Returns:
        dict: The manifest of a new store.

    Raises:
        ValueError: A value is impossible.
    """
    if not sides or min(sides) < MIN_SIDE:
        raise ValueError(f'sides = {list(sides)}: must be short sides '
                         f'of at least {MIN_SIDE} pixels')
    if not 1 <= quality <= 100:
        raise ValueError(
            f'quality = {quality!r}: must be an integer from 1 to 100')
    if frame_stride < 1:
        raise ValueError(f'frame_stride = {frame_stride!r}: '
                         'must be an integer of at least 1')
    return dict(
        version=VERSION,
        sides=sorted(set(sides)),
        quality=quality,
        frame_stride=frame_stride)


def prepare(store: Path, settings: dict) -> None:
    """Begin a store, or go on with one of the same settings.

    Raises:
        ValueError: The folder holds something else.
    """
    content = {path.name for path in store.glob('*')}
    if MANIFEST not in content:
        if content - {f'{MANIFEST}.part'}:
            raise ValueError(
                f'{store}: must be new, an empty folder or a grid store')
        store.mkdir(parents=True, exist_ok=True)
        write_manifest(store, settings)
    found = read_manifest(store)
    if not settings.items() <= found.items():
        raise ValueError(f'{store}: holds a store of other settings, '
                         f'{found}; give another folder')


def to_line(video: Video) -> str:
    """Return the log's line of a video."""
    return (json.dumps(
        video,
        default=lambda frames: base64.b64encode(frames.tobytes()).decode()) +
            '\n')


def read_logs(store: Path) -> Iterator[Video]:
    """Read the videos of all logs; a line that was cut off is skipped."""
    for path in sorted((store / LOGS).glob('*.jsonl')):
        with open(path, encoding='utf-8', errors='replace') as file:
            for line in file:
                with suppress(ValueError, IndexError):
                    fields = json.loads(line)
                    fields[7] = [
                        Copy(size, crc,
                             np.frombuffer(base64.b64decode(frames), FRAME))
                        for size, crc, frames in fields[7]
                    ]
                    yield Video(*fields)


@contextmanager
def locked(path: Path, kind: int) -> Iterator[IO]:
    """Open a file to append to, with a lock inside the ``with`` block.

    Args:
        path (Path): The file, made if missing.
        kind (int): As for ``fcntl.flock``.

    Raises:
        BlockingIOError: ``kind`` has ``LOCK_NB``, and another process has
            the lock.
    """
    with open(path, 'a', encoding='utf-8') as file:
        try:
            fcntl.flock(file, kind)
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            pass
        yield file


@contextmanager
def open_log(store: Path, part: Tuple[int, int]) -> Iterator[IO]:
    """Open the log of a part to append lines to.

    Raises:
        ValueError: Another process builds this part.
    """
    path = store / LOGS / f'{part[0]}-of-{part[1]}.jsonl'
    try:
        with locked(store / 'lock', fcntl.LOCK_SH):
            path.parent.mkdir(exist_ok=True)
            with locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB) as file:
                file.write('\n' * (file.tell() > 0))  # behind a cut line
                yield file
    except BlockingIOError:
        raise ValueError(f'{store}: another process is building '
                         f'its part {part[0]}/{part[1]}') from None


def indexed_videos(store: Path) -> Iterator[Video]:
    """Iterate over the videos of the index, if there is one yet."""
    known = read_manifest(store).get('index')
    return Index(store).all_videos() if known else iter(())


def write_index(store: Path, videos: Iterable[Video]) -> None:
    """Write the index, and the manifest that puts it into force.

    Args:
        store (Path): Folder of the store.
        videos (Iterable[Video]): All its videos. Their order is no matter.
    """
    names, _, videos = zip(*sorted(
        (os.fsencode(video.name), video.digest, video) for video in videos))
    table = np.array([(0, *video[1:4], READERS.index(
        video.reader), video.fps, video.digest) for video in videos], VIDEO)
    table['name_end'] = np.cumsum([len(name) for name in names])
    files = [copy for video in videos for copy in video.copies]
    copies = np.array([(copy.size, 0, len(copy.frames), copy.crc)
                       for copy in files], COPY)
    copies['begin'][1:] = np.cumsum(copies['rows'])[:-1]
    arrays = (np.frombuffer(b''.join(names),
                            np.uint8), table, copies.reshape(len(videos), -1),
              np.concatenate([copy.frames for copy in files]))
    crc = zlib.crc32(b''.join(array.tobytes() for array in arrays[:3]))
    folder, part = store / f'index-{crc:08x}', store / 'index.part'
    if not folder.exists():
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        for name, array in zip(ARRAYS, arrays):
            with open(part / f'{name}.npy', 'wb') as file:
                np.save(file, array)
                os.fsync(file.fileno())
        os.replace(part, folder)
    write_manifest(
        store,
        dict(read_manifest(store), index=folder.name, videos=len(videos)))
    for path in {*store.glob('index*')} - {folder}:
        shutil.rmtree(path)


def merge(store: Path, wanted: Set[str]) -> bool:
    """Move what all logs hold into the index.

    Args:
        store (Path): Folder of the store.
        wanted (set[str]): Keys of videos that must have been tried before
            the first index is written.

    Returns:
        bool: False if other parts are still to come; the last one merges.
    """
    with suppress(BlockingIOError), \
            locked(store / 'lock', fcntl.LOCK_EX | fcntl.LOCK_NB):
        # A video that failed in one log may have been copied in another.
        logged = sorted(read_logs(store), key=lambda video: not video.error)
        indexed = list(indexed_videos(store))
        videos = {video.key: video for video in [*indexed, *logged]}
        if not indexed and not wanted <= videos.keys():
            return False
        copied = [video for video in videos.values() if not video.error]
        if copied and logged:
            write_index(store, copied)
        atomic_write(
            store / FAILED, ''.join(
                sorted(f'{video.key}\t{video.error}\n'
                       for video in videos.values() if video.error)))
        shutil.rmtree(store / LOGS)
        return True
    return False


def store_info(store: Path) -> dict:
    """Describe a store.

    Returns:
        dict: ``sides``, ``quality`` and ``frame_stride``; numbers of
        ``videos``, of ``failed`` ones in the last build and of ``frames`` of
        the originals; ``bytes`` of the copies of each side; ``finished``,
        that is, ready for training; ``logged``, the number of copied videos
        that are not in the index yet.

    Raises:
        FileNotFoundError, ValueError: See :class:`.index.Index`.
    """
    manifest, failed = read_manifest(store), store / FAILED
    videos = list(indexed_videos(store))
    return dict(
        manifest,
        videos=len(videos),
        finished=bool(videos),
        logged=sum(not video.error for video in read_logs(store)),
        failed=failed.read_text().count('\n') if failed.exists() else 0,
        frames=sum(video.frames for video in videos),
        bytes=[
            sum(video.copies[side].size for video in videos)
            for side in range(len(manifest['sides']))
        ])
