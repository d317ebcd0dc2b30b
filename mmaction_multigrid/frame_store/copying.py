"""Copies one video, and many side by side."""

import errno
import multiprocessing
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import cv2

from ..schedule import is_count
from .avi import Writer, copy_size
from .frames import container_rate, open_frames
from .index import Video
from .names import copy_path
from .sizes import check_sides
from .sources import Source

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Settings:
    """What is stored.

    Attributes:
        sides (tuple[int]): Short sides in pixels.
        quality (int): Of the JPEGs, 1 to 100. Defaults to 90.
        frame_stride (int): Every how many-th frame is kept. Defaults to 1: all are.
    """
    sides: Tuple[int, ...]
    quality: int = 90
    frame_stride: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, 'sides', check_sides(self.sides))
        if not is_count(self.quality) or self.quality > 100:
            raise ValueError(f'quality = {self.quality!r}: must be an integer from 1 to 100')
        if not is_count(self.frame_stride):
            raise ValueError(f'frame_stride = {self.frame_stride!r}: must be an integer of at least 1')


class Result(NamedTuple):
    """Of copying one video: all about it, or the error; and CPU seconds."""
    key: str
    video: Optional[Video]
    error: str
    seconds: float


def copy_video(source: Source, out: Path, settings: Settings) -> Result:
    """Write the copies of one video.

    Raises:
        OSError: The disk is full.
    """
    cv2.setNumThreads(0)
    begin = time.process_time()
    writers: List[Writer] = []
    try:
        video = _copy(source, out, settings, writers)
        return Result(source.key, video, '', time.process_time() - begin)
    except Exception as error:  # whatever a decoder makes of a broken file
        for writer in writers:
            writer.discard()
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        text = f'{type(error).__name__}: {str(error).strip() or "no message"}'.splitlines()[0].replace('\t', ' ')
        return Result(source.key, None, f'{source.path}: {text}',
                      time.process_time() - begin)


def _copy(source: Source, out: Path, settings: Settings, writers: List[Writer]) -> Video:
    number, width, height = -1, 0, 0
    fps, announced, frames = open_frames(source)
    rate = container_rate(fps) / settings.frame_stride
    for number, frame in enumerate(frames):
        if not writers:
            height, width = frame.shape[:2]
            for side in settings.sides:
                path = Path(copy_path(str(out), side, source.key))
                size = copy_size(width, height, side)
                writers.append(Writer(path, size, rate, settings.quality))
        if number % settings.frame_stride == 0:
            for writer in writers:
                writer.write(frame)
    if not writers:
        raise ValueError('has no frames')
    copies = tuple(writer.close() for writer in writers)
    # The number that a pipeline samples from, even if fewer can be decoded.
    return Video(source.name, announced or number + 1, width, height, fps,
                 source.reader, source.digest, copies)


def run(work: Callable[[Source], Result], sources: Sequence[Source], processes: int) -> Iterator[Result]:
    """Copy videos side by side. One that ends its process is found, and is a failure like others."""
    if processes == 1 or len(sources) < 2:
        for source in sources:
            yield work(source)
        return
    waiting, suspects = list(reversed(sources)), []
    while waiting or suspects:
        alone = bool(suspects)
        queue, tasks = ([suspects.pop()] if alone else waiting), {}
        context = multiprocessing.get_context('spawn')
        try:
            with ProcessPoolExecutor(1 if alone else processes, mp_context=context) as pool:
                while queue or tasks:
                    while queue and len(tasks) < 2 * processes:
                        tasks[pool.submit(work, queue[-1])] = queue[-1]
                        queue.pop()
                    for task in wait(tasks, return_when=FIRST_COMPLETED).done:
                        result = task.result()
                        del tasks[task]
                        yield result
        except BrokenProcessPool:
            if not tasks:
                raise
            if alone:
                source, = tasks.values()
                error = 'crash: it ended the process that read it'
                yield Result(source.key, None, f'{source.path}: {error}', 0.)
            else:
                suspects = list(tasks.values())
