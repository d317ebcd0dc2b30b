"""Copies of a video: its frames as JPEGs in one Motion-JPEG AVI file, of which each can be read without the others.

Any player opens such a file. Its own index, ``idx1`` (AVI RIFF file reference, "AVI Index Entries"), says where each
frame is; the JPEG begins 8 bytes behind the start of its chunk.
"""

import os
import zlib
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Dict, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

HEADER = 8  # bytes of a chunk before what is in it: its name and size
MAX_BYTES = 2**30  # behind which the muxer begins a second index
FRAME = np.dtype([('offset', '<u4'), ('crc', '<u4')])  # of the chunk's start; of all behind its header
COLOURS = cv2.IMREAD_COLOR_RGB if hasattr(cv2, 'IMREAD_COLOR_RGB') else None  # OpenCV 4.11 and newer
SAMPLING = ([cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
            if hasattr(cv2, 'IMWRITE_JPEG_SAMPLING_FACTOR') else [])  # before OpenCV 4.7 nothing else was written


class Copy(NamedTuple):
    """What was written.

    Attributes:
        size (int): Bytes of the file.
        crc (int): CRC-32 of the file.
        frames (np.ndarray): Of type ``FRAME``, one for each frame, and one whose offset is the end of the last.
    """
    size: int
    crc: int
    frames: np.ndarray


def copy_size(width: int, height: int, side: int) -> Tuple[int, int]:
    """Width and height of a copy with a short side of ``side``: as MMAction2's ``Resize`` rounds, never enlarged."""
    scale = min(1., side / min(width, height))
    return int(width * scale + 0.5), int(height * scale + 0.5)


def pyav() -> ModuleType:
    """PyAV, which writes the copies, and which MMAction2 comes without.

    Raises:
        ImportError: It is not installed; the message holds the command to run.
    """
    try:
        import av
    except ImportError as error:
        raise ImportError("av is needed and cannot be imported: pip install 'mmaction_multigrid[store]'") from error
    return av


class Writer:
    """Writes one copy beside its place; :meth:`close` checks it and puts it there.

    Args:
        path (Path): Its place.
        size (tuple[int, int]): Width and height in pixels.
        rate (Fraction): Frames a second.
        quality (int): Of the JPEGs, up to 100.
    """

    def __init__(self, path: Path, size: Tuple[int, int], rate: Fraction, quality: int) -> None:
        self.path, self.part, self.size = path, path.with_name(f'{path.name}.part'), size
        self.options = [cv2.IMWRITE_JPEG_QUALITY, quality, *SAMPLING]
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file of Python's own: where the disk is full, its error says so.
        self.file = open(self.part, 'w+b')  # noqa: SIM115
        self.container = pyav().open(self.file, 'w', format='avi', options=dict(fflags='+bitexact'))
        self.stream = self.container.add_stream('mjpeg', rate=rate)
        self.stream.width, self.stream.height, self.stream.pix_fmt = *size, 'yuvj420p'
        self.time_base, self.crcs = 1 / rate, []

    def write(self, frame: np.ndarray) -> None:
        """Append a frame: BGR, uint8, of any size."""
        if frame.shape[1::-1] != self.size:
            frame = cv2.resize(frame, self.size, interpolation=cv2.INTER_AREA)
        jpeg = cv2.imencode('.jpg', frame, self.options)[1].tobytes()
        packet = pyav().Packet(jpeg)
        packet.stream, packet.is_keyframe, packet.time_base = self.stream, True, self.time_base
        packet.pts = packet.dts = len(self.crcs)
        self.container.mux(packet)
        self.crcs.append(zlib.crc32(jpeg + bytes(len(jpeg) % 2)))  # chunks begin at even offsets
        if self.file.tell() > MAX_BYTES:
            raise ValueError(f'a copy of {self.size[0]} x {self.size[1]} pixels is larger than {MAX_BYTES >> 30} GiB')

    def close(self) -> Copy:
        """Finish, read back, and put in place.

        Raises:
            ValueError: What is read is not what was written.
        """
        self.container.close()
        self.file.seek(0)
        content = self.file.read()
        offsets = frame_offsets(content)
        frames = np.zeros(len(self.crcs) + 1, FRAME)
        if len(offsets) != len(frames):
            raise ValueError(f'{self.part}: holds {len(offsets) - 1} of {len(self.crcs)} frames')
        frames['offset'], frames['crc'][:-1] = offsets, self.crcs
        for begin, end, crc in zip(offsets, offsets[1:], self.crcs):
            if zlib.crc32(content[begin + HEADER:end]) != crc:
                raise ValueError(f'{self.part}: its frames are not where its index says')
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.part, self.path)
        return Copy(len(content), zlib.crc32(content), frames)

    def discard(self) -> None:
        """Leave nothing behind."""
        self.file.close()
        self.part.unlink(missing_ok=True)


def frame_offsets(content: bytes) -> List[int]:
    """Where the chunks of an AVI file begin, in bytes, and where the last one ends."""
    movi = content.index(b'movi')
    index = movi + int.from_bytes(content[movi - 4:movi], 'little')  # right behind the frames
    if content[index:index + 4] != b'idx1':
        raise ValueError('has no index of its frames')
    size = int.from_bytes(content[index + 4:index + HEADER], 'little')
    entries = np.frombuffer(content, '<u4', size // 4, index + HEADER).reshape(-1, 4)  # name, flags, offset, size
    begins = entries[:, 2].astype(np.int64) + movi
    end = int(begins[-1]) + HEADER + int(entries[-1, 3])
    return [*begins.tolist(), end + end % 2]


def read_frames(path: str, frames: np.ndarray, wanted: Sequence[int]) -> List[np.ndarray]:
    """Frames of a copy, RGB, uint8, (H, W, 3), in any order; each an array of its own.

    Args:
        path: The file, which is opened and closed again.
        frames: Its ``Copy.frames``.
        wanted: Numbers of frames, from 0.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not the file that was written.
        IndexError: It has no such frame.
    """
    if len(wanted) and not 0 <= min(wanted) <= max(wanted) < len(frames) - 1:
        raise IndexError(f'{path}: has {len(frames) - 1} frames, and frames {min(wanted)} to {max(wanted)} are wanted')
    found: Dict[int, np.ndarray] = {}
    file = os.open(path, os.O_RDONLY)
    try:
        for number in wanted:
            if number not in found:
                begin, end = int(frames['offset'][number]) + HEADER, int(frames['offset'][number + 1])
                jpeg = os.pread(file, end - begin, begin)
                if zlib.crc32(jpeg) != frames['crc'][number]:
                    raise ValueError(f'{path}: frame {number} is damaged')
                found[number] = _decode(jpeg)
    finally:
        os.close(file)
    # What follows may change a frame in place.
    return [found[number].copy() if number in wanted[i + 1:] else found[number] for i, number in enumerate(wanted)]


def _decode(jpeg: bytes) -> np.ndarray:
    frame = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR if COLOURS is None else COLOURS)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if COLOURS is None else frame
