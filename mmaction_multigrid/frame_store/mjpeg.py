"""Write and read one copy of a video: a raw Motion-JPEG file.

The file holds one JPEG after the other, as players expect. Behind them is a
table with the place and the checksum of each, so that single frames can be
read.
"""

import zlib
from io import BytesIO
from typing import Iterator, List, Optional, Sequence, Tuple

import cv2
import numpy as np
from mmcv import rescale_size

from ..checkpoints.checkpoint_hook import atomic_write

JPEG_OPTIONS = (cv2.IMWRITE_JPEG_QUALITY, 90)
# Row of the table: first byte of a JPEG, and its CRC-32. A last row holds the
# end of the last JPEG.
FRAME = np.dtype([('begin', '<u8'), ('crc', '<u4')])
# Description of a file in the index: size in bytes, rows of the table, and
# CRC-32 of the table.
COPY = np.dtype([('size', '<u8'), ('rows', '<u4'), ('crc', '<u4')])


def copy_size(width: int, height: int, short_edge: int) -> Tuple[int, int]:
    """Compute the size of a copy, rounded as MMAction2's ``Resize`` does.

    Args:
        width (int): Width of the original in pixels.
        height (int): Height of the original in pixels.
        short_edge (int): Short edge of the copy in pixels.

    Returns:
        tuple[int, int]: Width and height, never larger than the original's.
    """
    # Enlarged copies would take space and add nothing.
    return rescale_size((width, height),
                        min(1., short_edge / min(width, height)))


class Writer:
    """Make one copy in memory, which :meth:`save` writes.

    Args:
        short_edge (int): Short edge in pixels.
    """

    def __init__(self, short_edge: int) -> None:
        self.short_edge = short_edge
        self.size: Optional[Tuple[int, int]] = None
        self.file = BytesIO()
        self.rows: List[Tuple[int, int]] = []

    def write(self, frame: np.ndarray) -> None:
        """Append a frame.

        Args:
            frame (np.ndarray): BGR, uint8, (H, W, 3), of any size.
        """
        size = frame.shape[1::-1]
        # A video may change its size. All frames of a copy have that of the
        # first one, because a clip is stacked to one array.
        self.size = self.size or copy_size(*size, self.short_edge)
        if size != self.size:
            # INTER_AREA averages pixels. Bilinear interpolation would alias.
            frame = cv2.resize(frame, self.size, interpolation=cv2.INTER_AREA)
        jpeg = cv2.imencode('.jpg', frame, JPEG_OPTIONS)[1].tobytes()
        self.rows.append((self.file.tell(), zlib.crc32(jpeg)))
        self.file.write(jpeg)

    def save(self, path: str) -> tuple:
        """Append the table and write the file.

        Args:
            path (str): Path of the copy.

        Returns:
            tuple: The values of a ``COPY``.

        Raises:
            OSError: The disk is full, for example.
        """
        rows = [*self.rows, (self.file.tell(), 0)]
        table = np.array(rows, FRAME).tobytes()
        self.file.write(table)
        atomic_write(path, self.file.getbuffer())
        return self.file.tell(), len(rows), zlib.crc32(table)


def read_jpegs(path: str, copy: np.void,
               wanted: Sequence[int]) -> Iterator[bytes]:
    """Read frames of a copy as they were written, in any order.

    Args:
        path (str): Path of the file.
        copy (np.void): Its description, of type ``COPY``.
        wanted (Sequence[int]): Numbers of frames, from 0.

    Raises:
        OSError: The file cannot be read.
        ValueError: The checksum of the table or of a frame is wrong.
    """
    size, rows, crc = copy.tolist()
    # A buffer would read bytes beyond these frames.
    with open(path, 'rb', buffering=0) as file:
        file.seek(size - rows * FRAME.itemsize)
        table = file.read()
        if zlib.crc32(table) != crc:
            raise ValueError(f'{path}: is damaged')
        frames = np.frombuffer(table, FRAME)
        for number in wanted:
            begin, end = frames['begin'][number:number + 2].tolist()
            file.seek(begin)
            jpeg = file.read(end - begin)
            if zlib.crc32(jpeg) != frames['crc'][number]:
                raise ValueError(f'{path}: frame {number} is damaged')
            yield jpeg
