"""Write checkpoints atomically, at the epochs of validation."""

import os
import re
import zipfile
from pathlib import Path
from typing import Any, ClassVar, Optional, Set, Union

from mmengine.dist import barrier, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook

from mmaction.registry import HOOKS


@register_backend('AtomicLocalBackend')
class AtomicLocalBackend(LocalBackend):
    """``LocalBackend`` that writes files atomically.

    mmengine writes a checkpoint under its final name and removes an outdated
    one before it writes the next. Here a file is written under a temporary
    name and renamed, and the outdated one is removed afterwards.
    """

    # Of the class, because mmengine builds a backend per call.
    _outdated: ClassVar[Set[str]] = set()

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write a file, then remove outdated ones.

        Args:
            obj (bytes): The content.
            filepath (str or Path): The path.

        Raises:
            OSError: The disk is full, for example. The file of that name and
                the outdated ones stay as they were.
        """
        atomic_write(filepath, obj)
        # A filename_tmpl without {} gives all checkpoints the same name: the
        # new one must not be removed.
        for path in self._outdated - {os.path.abspath(filepath)}:
            Path(path).unlink(missing_ok=True)
        self._outdated.clear()

    def remove(self, filepath: Union[str, Path]) -> None:
        """Mark a file as outdated; :meth:`put` removes it."""
        self._outdated.add(os.path.abspath(filepath))


def atomic_write(filepath: Union[str, Path], obj: bytes) -> None:
    """Write a file under a temporary name, and rename it.

    Args:
        filepath (str or Path): The path; its folder is created.
        obj (bytes or memoryview): The content.

    Raises:
        OSError: The disk is full, for example. The file of that name stays
            as it was.
    """
    path = Path(filepath)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.part')
    try:
        with open(part, 'wb') as file:
            file.write(obj)
            file.flush()
            # Without it, a power failure can leave the new name with no
            # content.
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:  # KeyboardInterrupt and SystemExit as well
        part.unlink(missing_ok=True)
        raise


def is_complete(path: Union[str, Path]) -> bool:
    """Check the checksum of each part of a checkpoint file."""
    # torch writes zip files, which have a CRC-32 for each tensor.
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


@HOOKS.register_module()
class MultigridCheckpointHook(CheckpointHook):
    """``CheckpointHook`` that saves when ``MultigridTrainLoop`` validates.

    Local files are written by :class:`AtomicLocalBackend`.

    Args:
        interval (int, optional): Unused, because the stages set when to save.
            It is accepted so that stock settings work.
        **kwargs: As for ``CheckpointHook``.
    """

    def __init__(self, interval: Optional[int] = None, **kwargs: Any) -> None:
        local = '://' not in str(kwargs.get('out_dir') or '')
        if local and not (kwargs.get('backend_args')
                          or kwargs.get('file_client_args')):
            kwargs['backend_args'] = dict(backend=AtomicLocalBackend.__name__)
        super().__init__(interval=1, **kwargs)

    def every_n_epochs(self, runner, n: int, start: int = 0) -> bool:
        """Check whether to save at the end of the current epoch."""
        epoch = runner.epoch + 1
        return epoch > start and runner.train_loop.is_eval_epoch(epoch)

    def before_run(self, runner) -> None:
        """Make ``last_checkpoint`` name the newest complete checkpoint.

        An automatic resume starts from the checkpoint that this file names.
        """
        # mmengine formats the config in each checkpoint by yapf, which takes
        # 1 to 3 s for a resolved config.
        object.__setattr__(runner.cfg, '_format_python_code', False)
        # With load_from the user has named the checkpoint.
        resumes = runner._resume and runner._load_from is None
        if resumes and is_main_process():
            self._repair_last_checkpoint(runner)
        barrier()

    def _repair_last_checkpoint(self, runner) -> None:
        note = Path(runner.work_dir) / 'last_checkpoint'
        named = note.read_text().strip() if note.is_file() else ''
        # Folders (deepspeed) and files elsewhere are not checked.
        if named and ('://' in named or Path(named).is_dir()
                      or is_complete(named)):
            return
        # With out_dir the checkpoints are not beside last_checkpoint.
        folder = Path(named).parent if named else note.parent
        paths = sorted(
            folder.glob(
                re.sub('{.*?}', '*', self.filename_tmpl or 'epoch_{}.pth')),
            key=os.path.getmtime)
        newest = next(filter(is_complete, reversed(paths)), None)
        if newest is not None:
            runner.logger.warning(
                f'{named or "last_checkpoint"} is missing or damaged; '
                f'resuming from {newest} instead')
            atomic_write(note, str(newest).encode())
