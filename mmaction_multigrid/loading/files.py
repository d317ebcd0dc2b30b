"""Annotation lists, and the files of their clips."""

import io
import os.path as osp
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Iterator, List, Mapping, Optional, Tuple, Union

from ..core.transform_rules import VIDEO_READERS

BYTE_ORDER_MARK = '\ufeff'


def read_list(path: Union[str, Path]) -> List[str]:
    """Read the lines of an annotation list as MMAction2 splits them.

    Args:
        path (str or Path): The list.

    Returns:
        list[str]: Its lines without empty ones and without a byte-order
        mark.

    Raises:
        FileNotFoundError: There is no such list.
        ValueError: It is not UTF-8.
    """
    try:
        text = Path(path).read_bytes().decode('utf-8-sig')
    except (FileNotFoundError, IsADirectoryError):
        raise FileNotFoundError(
            f'{path}: there is no such list; give an '
            'annotation file, with one clip a line') from None
    except UnicodeDecodeError as error:
        line = error.object[:error.start].count(b'\n') + 1
        raise ValueError(f'{path}, line {line}: is not UTF-8 (byte '
                         f'0x{error.object[error.start]:02x}); '
                         'save the list as UTF-8') from None
    lines = (line.rstrip('\n') for line in io.StringIO(text, newline=None))
    return [line for line in lines if line.strip()]


def video_path(name: str) -> str:
    """Return the path of the file that decord opens for a name.

    ``DecordInit`` takes a name without an extension for an mp4 file.
    """
    return name if osp.splitext(name)[1] else f'{name}.mp4'


def clip_name(info: Mapping, index: int) -> str:
    """Name a clip by its file or folder, or by its index."""
    return str(
        info.get('filename') or info.get('frame_dir') or f'clip {index}')


def clip_path(info: Mapping, reader: Optional[str]) -> Optional[str]:
    """Find the file, or the folder of pictures, that a reader opens.

    Args:
        info (Mapping): A dataset's description of a clip.
        reader (str, optional): ``opens`` or ``decodes`` of a rule.

    Returns:
        str, optional: None where the reader opens no file.
    """
    if reader == 'frames':
        return info.get('frame_dir')
    if reader not in (*VIDEO_READERS, 'pims'):
        return None
    path = info.get('filename')
    return video_path(path) if path and reader == 'decord' else path


# Where nobody watches nothing is kept.
_failures: ContextVar = ContextVar(
    'multigrid_copy_failures', default=deque(maxlen=0))


@contextmanager
def watch_copies() -> Iterator[List[Tuple[str, Exception]]]:
    """Collect the copies that could not be read in the context."""
    failures: List[Tuple[str, Exception]] = []
    token = _failures.set(failures)
    try:
        yield failures
    finally:
        _failures.reset(token)


def copy_failed(path: str, error: Exception) -> None:
    """Report a copy that cannot be read; its original is read instead."""
    _failures.get().append((path, error))
