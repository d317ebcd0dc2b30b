"""Annotation lists, and the files of their clips."""

import io
import os.path as osp
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple, \
    Union

from ..core.transform_rules import (RULES, VIDEO_READERS, TransformRule,
                                    transform_name)

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
            f'{path}: there is no such list; give an annotation file, with '
            'one clip a line') from None
    except UnicodeDecodeError as error:
        line = error.object[:error.start].count(b'\n') + 1
        raise ValueError(
            f'{path}, line {line}: is not UTF-8 (byte '
            f'0x{error.object[error.start]:02x}); save the list as UTF-8'
        ) from None
    lines = (line.rstrip('\n') for line in io.StringIO(text, newline=None))
    return [line for line in lines if line.strip()]


def video_path(name: str) -> str:
    """Return the path of the file that decord opens for a name.

    ``DecordInit`` takes a name without an extension for an mp4 file.
    """
    return name if osp.splitext(name)[1] else f'{name}.mp4'


def find_reader(pipeline: Sequence[Any]) -> Optional[str]:
    """Find the reader of a pipeline, given configs or transforms.

    Returns:
        str, optional: ``opens`` or ``decodes`` of the first rule that has
        one. None where no rule has.
    """
    for step in pipeline:
        rule = RULES.get(transform_name(step), TransformRule())
        if rule.opens or rule.decodes:
            return rule.opens or rule.decodes
    return None


def clip_path(info: Mapping, reader: Optional[str]) -> Optional[str]:
    """Find the file, or the folder of pictures, that a reader opens.

    Args:
        info (Mapping): A dataset's description of a clip.
        reader (str, optional): See :func:`find_reader`.

    Returns:
        str, optional: None where the reader opens no file.
    """
    if reader == 'frames':
        return info.get('frame_dir')
    if reader not in (*VIDEO_READERS, 'pims') or not info.get('filename'):
        return None
    path = info['filename']
    return video_path(path) if reader == 'decord' else path


_failures: ContextVar[Optional[List[Tuple[str, Exception]]]] = ContextVar(
    'multigrid_copy_failures', default=None)


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
    failures = _failures.get()
    if failures is not None:
        failures.append((path, error))
