"""Writes and reads one copy of a video: JPEGs in a Motion-JPEG AVI file.

Any player opens such a file. Its own index, ``idx1`` (AVI RIFF file reference,
"AVI Index Entries"), has the place of each frame, so that one frame is read
without the others.
"""

import os
import zlib
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

RGB = getattr(cv2, 'IMREAD_COLOR_RGB', None)  # OpenCV 4.11 and newer
RATE = 25  # frames per second, for players
HEADER = 8  # bytes of a chunk before its content: its name and its size
MAX_BYTES = 2**30  # the muxer begins a second index behind them
# Begin of the chunk in the file; CRC-32 of everything behind its header.
FRAME = np.dtype([('offset', '<u4'), ('crc', '<u4')])


class Copy(NamedTuple):
    """Describes the file of a copy.

    Attributes:
        size (int): Bytes of the file.
        crc (int): CRC-32 of the file.
        frames (np.ndarray): One entry of type ``FRAME`` for each frame, and
            one more, whose offset is the end of the last frame.
    """
    size: int
    crc: int
    frames: np.ndarray


def copy_size(width: int, height: int, side: int) -> Tuple[int, int]:
    """Compute the size of a copy, rounded as MMAction2's ``Resize`` does.

    Args:
        width (int): Width of the original in pixels.
        height (int): Height of the original in pixels.
        side (int): Short side of the copy in pixels.

    Returns:
        tuple[int, int]: Width and height, never larger than the original's.
    """
    scale = min(1., side / min(width, height))
    return int(width * scale + 0.5), int(height * scale + 0.5)


def pyav() -> ModuleType:
    """Import PyAV, which MMAction2 does not install.

    Raises:
        ImportError: PyAV is not installed. The message has the command.
    """
    try:
        import av
    except ImportError as error:
        raise ImportError('av is needed and cannot be imported: pip install '
                          "'mmaction_multigrid[store]'") from error
    return av


class Writer:
    """Write one copy to a temporary file, which :meth:`close` renames.

    Leaving the ``with`` block without :meth:`close` removes the file.

    Args:
        path (Path): Path of the copy.
        size (tuple[int, int]): Width and height in pixels.
        quality (int): JPEG quality, from 1 to 100.
    """

    def __init__(self, path: Path, size: Tuple[int, int],
                 quality: int) -> None:
        self.path, self.size = path, size
        self.part = path.with_name(f'{path.name}.part')
        self.options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        path.parent.mkdir(parents=True, exist_ok=True)
        # The error of a Python file says that the disk is full.
        self.file = open(self.part, 'w+b')
        self.container = pyav().open(
            self.file, 'w', format='avi', options=dict(fflags='+bitexact'))
        self.stream = self.container.add_stream('mjpeg', rate=RATE)
        self.stream.width, self.stream.height = size
        self.stream.pix_fmt = 'yuvj420p'
        self.crcs: List[int] = []

    def write(self, frame: np.ndarray) -> None:
        """Append a frame.

        Args:
            frame (np.ndarray): BGR, uint8, (H, W, 3), of any size.

        Raises:
            ValueError: The file is larger than 1 GiB.
        """
        if frame.shape[1::-1] != self.size:
            frame = cv2.resize(frame, self.size, interpolation=cv2.INTER_AREA)
        jpeg = cv2.imencode('.jpg', frame, self.options)[1].tobytes()
        packet = pyav().Packet(jpeg)
        packet.stream, packet.is_keyframe = self.stream, True
        packet.time_base = Fraction(1, RATE)
        packet.pts = packet.dts = len(self.crcs)
        self.container.mux(packet)
        # Chunks begin at even offsets.
        self.crcs.append(zlib.crc32(jpeg + bytes(len(jpeg) % 2)))
        if self.file.tell() > MAX_BYTES:
            raise ValueError(f'a copy of {self.size[0]} x {self.size[1]} '
                             f'pixels is larger than {MAX_BYTES >> 30} GiB')

    def close(self) -> Copy:
        """Finish the file, compare it with the written frames, rename it.

        Raises:
            ValueError: The file does not hold the frames.
        """
        self.container.close()
        self.file.seek(0)
        content = self.file.read()
        movi = content.index(b'movi')
        end = movi + int.from_bytes(content[movi - 4:movi], 'little')
        # The index is behind the frames. Entries: name, flags, offset, size.
        entries = np.frombuffer(content, '<u4', offset=end + HEADER)
        offsets = [*(entries[2::4] + movi).tolist(), end]
        crcs = [
            zlib.crc32(content[begin + HEADER:end])
            for begin, end in zip(offsets, offsets[1:])
        ]
        if crcs != self.crcs:
            raise ValueError(f'{self.part}: does not hold the '
                             f'{len(self.crcs)} frames that were written')
        os.fsync(self.file.fileno())
        os.replace(self.part, self.path)
        return Copy(
            len(content), zlib.crc32(content),
            np.array([*zip(offsets, [*crcs, 0])], FRAME))

    def __enter__(self) -> 'Writer':
        return self

    def __exit__(self, *_) -> None:
        self.part.unlink(missing_ok=True)
        self.file.close()  # raises if the disk is full


def read_frames(path: str, frames: np.ndarray,
                wanted: Sequence[int]) -> List[np.ndarray]:
    """Read frames of a copy, in any order.

    Args:
        path (str): Path of the file.
        frames (np.ndarray): ``Copy.frames`` of the file.
        wanted (Sequence[int]): Numbers of frames, from 0.

    Returns:
        list[np.ndarray]: RGB, uint8, (H, W, 3), each with its own memory.

    Raises:
        OSError: The file cannot be read.
        ValueError: A frame is not as it was written.
    """
    found = []
    with open(path, 'rb', buffering=0) as file:
        for number in wanted:
            begin, end = frames['offset'][number:number + 2].tolist()
            file.seek(begin + HEADER)
            jpeg = file.read(end - begin - HEADER)
            if zlib.crc32(jpeg) != frames['crc'][number]:
                raise ValueError(f'{path}: frame {number} is damaged')
            # A conversion takes longer than decoding to RGB.
            frame = cv2.imdecode(
                np.frombuffer(jpeg, np.uint8), RGB or cv2.IMREAD_COLOR)
            found.append(
                frame if RGB else cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    return found
