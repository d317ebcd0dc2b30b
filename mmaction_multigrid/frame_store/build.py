"""Build a grid store: copy the videos of a dataset as small pictures.

Each video is copied by itself and logged. A build that was interrupted goes on
where it was, and ends with the same store.
"""

import errno
import multiprocessing
import os
import random
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import chain
from multiprocessing.pool import ThreadPool
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Callable, Iterator, List, Sequence, Set, Tuple

import cv2
from rich.progress import track

from .avi import Writer, copy_size, pyav
from .index import Video, copy_path
from .sizes import SAMPLE
from .sources import Source, digest_of, open_frames
from .state import indexed_videos, merge, open_log, prepare, read_logs, to_line

HASHERS = 16  # threads that hash originals
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def failure(source: Source, error: str) -> Video:
    """Describe an original that could not be copied."""
    return Video(source.name, 0, 0, 0, 0., source.reader, source.digest, (),
                 ' '.join(f'{source.path}: {error}'.split()))


def copy_video(source: Source, store: Path, settings: dict) -> Video:
    """Write the copies of one video.

    Raises:
        OSError: The disk is full.
    """
    cv2.setNumThreads(0)
    try:
        fps, reported, frames = open_frames(source)
        first = next(frames, None)
        if first is None:
            raise ValueError('has no frames')
        height, width = first.shape[:2]
        with ExitStack() as stack:
            writers = [
                stack.enter_context(
                    Writer(
                        Path(copy_path(store, side, source.key)),
                        copy_size(width, height, side), settings['quality']))
                for side in settings['sides']
            ]
            for number, frame in enumerate(chain([first], frames)):
                if number % settings['frame_stride'] == 0:
                    for writer in writers:
                        writer.write(frame)
            copies = [writer.close() for writer in writers]
        # A pipeline samples from the reported number.
        return Video(source.name, reported or number + 1, width, height, fps,
                     source.reader, source.digest, copies)
    except Exception as error:  # of any type if the file is broken
        if getattr(error, 'errno', None) in DISK_FULL:
            raise
        return failure(source, f'{type(error).__name__}: {error}')


def run(work: Callable[[Source], Video], sources: Sequence[Source],
        processes: int) -> Iterator[Video]:
    """Copy videos in parallel.

    A video that ends its process counts as a failed one if there are several
    processes.
    """
    if processes == 1:
        yield from map(work, sources)
        return
    context = multiprocessing.get_context('spawn')
    pools: SimpleQueue = SimpleQueue()

    def add_pool() -> None:
        pools.put(stack.enter_context(ProcessPoolExecutor(1, context)))

    def work_apart(source: Source) -> Video:
        pool = pools.get()
        try:
            video = pool.submit(work, source).result()
        except BrokenProcessPool:
            add_pool()
            return failure(source, 'crash: it ended the process that read it')
        pools.put(pool)
        return video

    with ExitStack() as stack:
        for _ in range(processes):
            add_pool()
        threads = stack.enter_context(ThreadPool(processes))
        yield from threads.imap_unordered(work_apart, sources)


def read_done(store: Path, sides: Sequence[int]) -> Set[str]:
    """Find the keys of the videos whose copies are all there, in full."""
    return {
        video.key
        for video in chain(indexed_videos(store), read_logs(store))
        if not video.error and all(
            os.path.exists(path := copy_path(store, side, video.key))
            and os.path.getsize(path) == copy.size
            for side, copy in zip(sides, video.copies))
    }


def hash_sources(sources: Sequence[Source]) -> List[Source]:
    """Return the same originals with their digests."""
    with ThreadPoolExecutor(HASHERS) as pool:
        digests = track(
            pool.map(digest_of, sources),
            'originals',
            len(sources),
            disable=not sys.stdout.isatty())
        return [
            replace(source, digest=digest)
            for source, digest in zip(sources, digests)
        ]


def copy_all(todo: Sequence[Source], store: Path, settings: dict,
             processes: int, log: IO) -> Iterator[Video]:
    """Copy and log videos; from the first ones, tell the room for all.

    Raises:
        OSError: The disk has less room.
    """
    size, work = 0, partial(copy_video, store=store, settings=settings)
    videos = track(
        run(work, todo, processes), 'videos', len(todo), disable=not todo)
    for number, video in enumerate(videos, 1):
        log.write(to_line(video))
        log.flush()
        size += sum(copy.size for copy in video.copies)
        if number == SAMPLE:
            free, rest = shutil.disk_usage(store).free, len(todo) - number
            needed = size / number * rest
            print(
                f'{rest} more videos will take {needed / 2**30:.3g} GiB, '
                f'and {free / 2**30:.3g} GiB are free',
                flush=True)
            if needed > free:
                raise OSError(
                    errno.ENOSPC,
                    'the store does not fit; give fewer sides, a lower '
                    'quality, a frame stride or another disk', str(store))
        yield video


def build(sources: Sequence[Source],
          store: Path,
          settings: dict,
          processes: int = 1,
          part: Tuple[int, int] = (1, 1)) -> dict:
    """Write the store, or the copies of these videos that it lacks.

    Args:
        sources (Sequence[Source]): The originals.
        store (Path): Folder of the store.
        settings (dict): See :func:`.state.store_settings`.
        processes (int): Number of processes. Defaults to 1.
        part (tuple[int, int]): Number of the part to copy, and of all.

    Returns:
        dict: ``videos``, how many of these have copies; ``failed``, errors
        of the part by key; ``finished``, whether the index is written.

    Raises:
        ImportError: PyAV is not installed.
        ValueError: The folder holds something else, or another process
            builds the same part.
        OSError: The store does not fit on the disk.
    """
    pyav()  # without it every video would fail, one after the other
    prepare(store, settings)
    with open_log(store, part) as log:
        done = read_done(store, settings['sides'])
        hashed = hash_sources(sources)
        unique = {source.key: source for source in hashed}
        todo = [
            unique[key] for key in sorted(unique)[part[0] - 1::part[1]]
            if key not in done
        ]
        random.Random(0).shuffle(todo)  # the first ones tell the size of all
        tried = {
            video.key: video.error
            for video in copy_all(todo, store, settings, processes, log)
        }
    failed = {key: error for key, error in tried.items() if error}
    done |= tried.keys() - failed.keys()
    return dict(
        videos=sum(source.key in done for source in hashed),
        failed=failed,
        finished=merge(store, (set(unique) if part[1] > 1 else set())))
