"""Annotation lists, and the files that they name."""

import io
import os.path as osp
from pathlib import Path
from typing import List, Union

BYTE_ORDER_MARK = '\ufeff'


def read_list(path: Union[str, Path]) -> List[str]:
    """Read the lines of an annotation list, as MMAction2 splits them.

    Args:
        path (str or Path): The list.

    Returns:
        list[str]: Its lines without empty ones, and without a byte-order mark.

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
    """Path of the file that decord opens for a name in a list.

    ``DecordInit`` takes a name without an extension for an mp4 file.
    """
    return name if osp.splitext(name)[1] else f'{name}.mp4'
