"""Opens originals, by what numbers their frames in a pipeline."""

from fractions import Fraction
from typing import Iterator, Tuple

import cv2
import decord
import numpy as np

from .avi import pyav
from .sources import Source


def open_frames(source: Source) -> Tuple[float, int, Iterator[np.ndarray]]:
    """Open an original.

    Returns:
        tuple: Frames a second (0: nobody knows), their number as its reader
        tells it to a pipeline (0: it counts by decoding), and the frames that
        can be decoded: BGR, uint8, (H, W, 3).
    """
    if source.reader == 'frames':
        return 0., source.frames, (
            _picture(source.pictures.format(source.first + i))
            for i in range(source.frames))
    if source.reader == 'decord':
        video = decord.VideoReader(source.path, num_threads=1)
        frames = (
            cv2.cvtColor(video[i].asnumpy(), cv2.COLOR_RGB2BGR)
            for i in range(len(video)))
        return video.get_avg_fps(), len(video), frames
    if source.reader == 'opencv':
        video = cv2.VideoCapture(source.path)
        number = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        if number < 1:  # OpenCVInit fails, too
            raise ValueError(
                'OpenCV cannot open it, or cannot tell its number of frames')
        return video.get(cv2.CAP_PROP_FPS), number, _opencv_frames(video)
    return _open_pyav(source.path)


def _opencv_frames(video: cv2.VideoCapture) -> Iterator[np.ndarray]:
    while True:
        there, frame = video.read()
        if not there:
            return
        yield frame


def _open_pyav(path: str) -> Tuple[float, int, Iterator[np.ndarray]]:
    av = pyav()
    with av.open(path) as container:
        rate, number = container.streams.video[
            0].average_rate, container.streams.video[0].frames

    def frames() -> Iterator[np.ndarray]:
        with av.open(path) as container:
            for frame in container.decode(video=0):
                yield cv2.cvtColor(frame.to_rgb().to_ndarray(), cv2.COLOR_RGB2BGR)

    return float(rate or 0), number, frames()


def _picture(path: str) -> np.ndarray:
    content = np.fromfile(path, np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if picture is None:
        raise ValueError(f'{path}: is no picture')
    return picture


def container_rate(fps: float) -> Fraction:
    """Frames a second as a file says it; 25 where nobody knows."""
    rate = Fraction(fps).limit_denominator(1001) if 0 < fps < float('inf') else Fraction(25)
    return rate if rate > 0 else Fraction(25)
