"""Build a frame store: copy the videos of a dataset as small pictures.

Each video is copied separately and logged. A build that was interrupted
continues from its logs and ends with the same store.
"""

import errno
import multiprocessing.pool
import os
import shutil
import signal
import threading
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import (IO, Callable, Dict, Iterable, Iterator, List, NamedTuple,
                    Optional, Sequence, Tuple)

import cv2
import numpy as np
from rich.progress import track

from ..checkpoints.checkpoint_hook import atomic_write
from ..loading.broken import is_machine_error
from .index import THREADS, copy_path, video_dtype
from .logs import LOGS, merge, open_log, prepare, read_done
from .mjpeg import Writer
from .sources import Source, digest_of, open_frames, weight_of

SAMPLE = 16  # videos from which the size of the store is estimated


class Result(NamedTuple):
    """Result of copying one video.

    Attributes:
        source (Source): The original.
        video (np.ndarray, optional): One record of :func:`video_dtype`; None
            after an error. Defaults to None.
        error (str): The error. Defaults to ``''``.
    """
    source: Source
    video: Optional[np.ndarray] = None
    error: str = ''


def copy_video(source: Source, store: Path, short_edges: List[int]) -> Result:
    """Write the copies of one video.

    Args:
        source (Source): The original.
        store (Path): Folder of the store.
        short_edges (list[int]): See :func:`.logs.check_short_edges`.

    Raises:
        ImportError: The reader of the original is not installed.
        MemoryError, OSError: Memory, disk or file handles have run out.
    """
    # There is one process per core already.
    cv2.setNumThreads(0)
    try:
        (fps, reported, frames), count = open_frames(source), 0
        writers = list(map(Writer, short_edges))
        for count, frame in enumerate(frames, 1):
            for writer in writers:
                writer.write(frame)
        if count == 0:
            raise ValueError('has no frames')
        copies = [
            writer.save(copy_path(store, writer.short_edge, source.digest))
            for writer in writers
        ]
        # The number that the reader reports, which can differ from the number
        # of decoded frames: a pipeline samples from it.
        video = source.digest, fps, reported or count, copies
        return Result(source, np.array([video], video_dtype(short_edges)))
    except Exception as error:  # decoders raise errors of any type
        if is_machine_error(error):
            raise
        return Result(source, error=f'{type(error).__name__}: {error}')


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent process, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def run(work: Callable[[Source], Result], sources: Sequence[Source],
        processes: int) -> Iterator[Result]:
    """Copy videos in parallel.

    A video that crashes its process counts as failed, except with a single
    process, which is this one.

    Args:
        work (callable): Function that copies one video.
        sources (Sequence[Source]): The originals.
        processes (int): Number of processes.

    Yields:
        Result: Results in any order.
    """
    if processes == 1:
        yield from map(work, sources)
        return
    # Not forked: decoders have threads, which a fork does not copy.
    context, local = multiprocessing.get_context('spawn'), threading.local()

    def work_apart(source: Source) -> Result:
        # Each thread has one process. In a pool of several processes it would
        # be unknown which video has crashed one.
        if not hasattr(local, 'pool'):
            local.pool = ProcessPoolExecutor(1, context, _begin_worker)
        try:
            return local.pool.submit(work, source).result()
        except BrokenExecutor:
            del local.pool
            return Result(
                source, error='crash: it ended the process that read it')

    with multiprocessing.pool.ThreadPool(processes) as threads:
        yield from threads.imap_unordered(work_apart, sources)


def hash_sources(sources: Sequence[Source]) -> List[Source]:
    """Return the same originals with their digests."""
    digests = map_in_threads(digest_of, sources)
    return [
        source._replace(digest=digest)
        for source, digest in zip(sources, digests)
    ]


def map_in_threads(function: Callable, sources: Iterable[Source]) -> list:
    """Call a function that mostly waits for the disk."""
    with multiprocessing.pool.ThreadPool(THREADS) as pool:
        return pool.map(function, sources)


def copy_all(todo: Sequence[Source], store: Path, short_edges: List[int],
             processes: int, log: IO) -> Dict[int, str]:
    """Copy and log videos, and print the expected size of the store.

    Args:
        todo (Sequence[Source]): Originals to copy, in random order.
        store (Path): Folder of the store.
        short_edges (list[int]): See :func:`.logs.check_short_edges`.
        processes (int): Number of processes.
        log (IO): Log of the part.

    Returns:
        dict[int, str]: Path and error of each failed video, by digest.

    Raises:
        OSError: The store does not fit on the disk.
    """
    failed, size, copied = {}, 0, 0.
    total = sum(map_in_threads(weight_of, todo))
    work = partial(copy_video, store=store, short_edges=short_edges)
    results = track(
        run(work, todo, processes), 'videos', len(todo), disable=not todo)
    for number, (source, video, error) in enumerate(results, 1):
        if video is None:
            failed[source.digest] = ' '.join(f'{source.path}: {error}'.split())
        else:
            log.write(video.tobytes())
            log.flush()  # a killed build continues from here
            size += int(video['copies']['size'].sum())
            copied += weight_of(source)
        if number == SAMPLE and copied:
            free, rest = shutil.disk_usage(store).free, len(todo) - number
            needed = size / copied * max(0, total - copied)
            print(
                f'{rest} more videos will take {needed / 2**30:.3g} GiB, '
                f'and {free / 2**30:.3g} GiB are free',
                flush=True)
            if needed > free:
                raise OSError(
                    errno.ENOSPC,
                    'the store does not fit; give fewer --sides or another '
                    'disk', str(store))
    return failed


def build(sources: Sequence[Source],
          store: Path,
          short_edges: List[int],
          processes: int = 1,
          part: Tuple[int, int] = (1, 1)) -> dict:
    """Write a store, or the copies of these videos that a store lacks.

    Args:
        sources (Sequence[Source]): The originals.
        store (Path): Folder of the store.
        short_edges (list[int]): See :func:`.logs.check_short_edges`.
        processes (int): Number of processes. Defaults to 1.
        part (tuple[int, int]): Number of the part to copy, from 1, and the
            number of all parts. Defaults to (1, 1).

    Returns:
        dict: ``videos``, the number of these videos with copies; ``failed``,
        the errors of the part by digest; ``finished``, whether the index has
        been written.

    Raises:
        ImportError: The reader of the originals is not installed.
        ValueError: The folder holds something else, or another process
            is building the same part.
        OSError: The store does not fit on the disk.
    """
    prepare(store, short_edges)
    log = store / LOGS / '{}-of-{}.log'.format(*part)
    errors = log.with_suffix('.txt')  # exists once the part has ended
    with open_log(log, video_dtype(short_edges).itemsize) as file:
        errors.unlink(missing_ok=True)
        done, hashed = read_done(store, short_edges), hash_sources(sources)
        unique = {source.digest: source for source in hashed}
        # Digests are hashes: in their order the first videos are a random
        # sample, and parts are of about equal size.
        todo = [
            unique[digest] for digest in sorted(unique)[part[0] - 1::part[1]]
            if digest not in done
        ]
        failed = copy_all(todo, store, short_edges, processes, file)
        # File names need not be UTF-8.
        atomic_write(
            errors, ''.join(f'{digest:016x}\t{error}\n'
                            for digest, error in failed.items()).encode(
                                'utf-8', 'surrogateescape'))
    done |= {source.digest for source in todo} - failed.keys()
    return dict(
        videos=sum(source.digest in done for source in hashed),
        failed=failed,
        finished=merge(store, short_edges, part[1]))
