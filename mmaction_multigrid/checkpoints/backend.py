"""Checkpoint files that are whole or not there."""

import os
import zipfile
from pathlib import Path
from typing import ClassVar, List, Union

from mmengine.fileio import LocalBackend, register_backend


@register_backend('AtomicLocalBackend')
class AtomicLocalBackend(LocalBackend):
    """``LocalBackend`` whose files never hold half of what was written, whenever the process is killed.

    mmengine writes a checkpoint under its final name, and removes an outdated one before it writes the next. Here
    a file is written beside its place and renamed into it, and what is outdated goes once the next file is there.
    """
    _outdated: ClassVar[List[Path]] = []

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write a file, then remove what is outdated in its folder; never the file itself.

        Raises:
            OSError: The disk is full, say. The file of that name, and the outdated ones, are as they were.
        """
        atomic_write(filepath, obj)
        written = _resolved(filepath)
        for path in [path for path in self._outdated if path.parent == written.parent]:  # others are another run's
            self._outdated.remove(path)
            if path != written:  # a filename_tmpl without {} gives all checkpoints one name
                path.unlink(missing_ok=True)

    def remove(self, filepath: Union[str, Path]) -> None:
        """Remove a file once the next one is written in its folder."""
        self._outdated.append(_resolved(filepath))


def atomic_write(filepath: Union[str, Path], obj: bytes) -> None:
    """Write a file beside its place and rename it into it.

    Raises:
        OSError: The disk is full, say. The file of that name is as it was.
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


def _resolved(filepath: Union[str, Path]) -> Path:
    """One name for a file, however its folder is written; a link is not followed, which would remove its target."""
    path = Path(filepath)
    return path.parent.resolve() / path.name


def is_whole(path: Union[str, Path]) -> bool:
    """Whether a checkpoint file is all there: every part of the archive has its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
