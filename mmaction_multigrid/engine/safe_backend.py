"""Checkpoint files that are whole or not there."""

import os
import zipfile
from pathlib import Path
from typing import ClassVar, List, Union

from mmengine.fileio import LocalBackend, register_backend


@register_backend('SafeLocalBackend')
class SafeLocalBackend(LocalBackend):
    """``LocalBackend`` whose files never hold half of what was written, whenever the process is killed.

    mmengine writes a checkpoint under its final name, and removes an outdated one before it writes the next. Here
    a file is written beside its place and renamed into it, and what is outdated goes once the next file is there.
    """
    _outdated: ClassVar[List[str]] = []

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write a file, then remove what is outdated.

        Raises:
            OSError: The disk is full, say. The file of that name, and the outdated ones, are as they were.
        """
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f'.{path.name}.part')
        try:
            with open(part, 'wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        while self._outdated:
            Path(self._outdated.pop()).unlink(missing_ok=True)

    def remove(self, filepath: Union[str, Path]) -> None:
        """Remove a file once the next one is written."""
        self._outdated.append(str(filepath))


def is_whole(path: Union[str, Path]) -> bool:
    """Whether a checkpoint file is all there: every part of the archive has its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
