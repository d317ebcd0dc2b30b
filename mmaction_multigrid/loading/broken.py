"""Dataset wrapper that replaces clips that cannot be loaded."""

import errno
import re
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from traceback import walk_tb
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple, Union

import numpy as np
from mmcv.transforms import BaseTransform

from mmaction.registry import DATASETS, TRANSFORMS
from ..core.dataset import current_epoch
from ..core.transform_rules import RULES, TransformRule, transform_name
from ..core.transforms import MultigridTransform
from .train_data import build_dataset, check_classes, clip_name
from .workers import WorkerState

MAX_TRIES = 100
# Errors of the machine, which the next clip would raise as well.
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE,
                  errno.ENFILE)

# What a report says of the clip of a file that cannot be loaded.
REPLACED = 'another clip took its place'
LEFT_OUT = 'left out from epoch {} on'
# Where nobody watches nothing is kept.
_failures: ContextVar = ContextVar(
    'multigrid_copy_failures', default=deque(maxlen=0))


class CrashedFile(RuntimeError):
    """A file that ended the data worker that opened it."""

    def __init__(self) -> None:
        super().__init__('ended the process that opened it')


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


@DATASETS.register_module()
class ReplaceBrokenClips:
    """Replace a clip whose file cannot be read by another one.

    The other clip is drawn at random, in the same shape. A broken copy in a
    frame store is replaced by its original. All other attributes are the
    wrapped dataset's.

    Args:
        dataset (dict or Dataset): The dataset to wrap: repeat, concat and
            raw-frame datasets, too.

    Raises:
        FileNotFoundError: The list is missing.
        ValueError: A line of the list has no class number.
        RuntimeError: When a clip is loaded: a hundred in a row cannot be, or
            the error is not one of its file.
    """

    def __init__(self, dataset: Union[dict, Any]) -> None:
        self.dataset = build_dataset(dataset)
        self.watch()

    def watch(self,
              num_workers: int = 0,
              report: Optional[str] = None) -> None:
        """Count and report from now on; to be called before workers start.

        Args:
            num_workers (int): Data workers. Defaults to 0.
            report (str, optional): File to append a line to, (name, error,
                outcome), for every file that cannot be loaded. There is one
                line per worker for each copy in a frame store. Files that
                ended a worker according to it are left out.
        """
        self._state = WorkerState(num_workers)
        self._report = report
        # Files that ended a worker, and the epochs from which on they are
        # left out: a resumed run opens them before, as the run before did.
        self._crashed: Dict[str, int] = {}
        if report and Path(report).is_file():
            text = Path(report).read_text('utf-8', 'replace')
            pattern = r'(?m)^(.*)\t.*\t' + LEFT_OUT.format(r'(\d+)') + '$'
            self._crashed.update((name, int(epoch))
                                 for name, epoch in re.findall(pattern, text))
        self._bad_copies: Set[str] = set()

    @property
    def tries(self) -> Tuple[int, int]:
        """tuple[int, int]: Clips that were tried, and that failed."""
        return self._state.totals()

    def check_classes(self, num_classes: Optional[int]) -> None:
        """See :func:`.train_data.check_classes`."""
        check_classes(self.dataset, num_classes)

    def leave_out(self, worker: int) -> Optional[str]:
        """Leave the file out that a crashed worker had open.

        Workers that start from now on replace it.

        Returns:
            str, optional: Its name. None if the worker had none open.
        """
        opened = self._state.pop_open(worker)
        if opened is None:
            return None
        epoch, index = opened
        name = self._name(index)
        self._crashed[name] = epoch
        self._write(name, CrashedFile(), LEFT_OUT.format(epoch))
        return name

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        for _ in range(MAX_TRIES):
            try:
                return self._load(index)
            except Exception as error:
                if (isinstance(error, (MemoryError, ImportError))
                        or getattr(error, 'errno', None) in MACHINE_ERRORS):
                    raise
                name = self._name(index)
                mistake = describe_mistake(error, self.dataset, name)
                if mistake:
                    raise RuntimeError(mistake) from error
                self._write(name, error, REPLACED)
                last = f'{name}, {type(error).__name__}: {error}'
            # The error is released here, and with it a decoder that could
            # crash while the next clip is open.
            index = np.random.randint(len(self))
        raise RuntimeError(
            f'{MAX_TRIES} clips in a row cannot be loaded; the last one: '
            f'{last}. Check ann_file and data_prefix of the dataset')

    def _load(self, index: int) -> Any:
        epoch = current_epoch()
        with self._state.opening(epoch, index), watch_copies() as failures:
            if self._crashed and epoch >= self._crashed.get(
                    self._name(index), epoch + 1):
                raise CrashedFile()
            try:
                return self.dataset[index]
            finally:
                for name, error in failures:
                    if name not in self._bad_copies:
                        self._bad_copies.add(name)
                        self._write(name, error,
                                    'the original was read instead')

    def _write(self, name: str, error: Exception, outcome: str) -> None:
        if self._report:
            text = f'{type(error).__name__}: {str(error).strip()}'
            text = text.splitlines()[0].replace('\t', ' ')
            with open(
                    self._report, 'a', encoding='utf-8',
                    errors='backslashreplace') as file:
                file.write(f'{name}\t{text}\t{outcome}\n')

    def _name(self, index: int) -> str:
        try:
            info = self.dataset.get_data_info(index)
        except Exception:  # a dataset without such a method
            info = {}
        return clip_name(info, index)

    def __getattr__(self, name: str) -> Any:
        # Copy and pickle ask for attributes before __init__.
        if name.startswith('__') or name == 'dataset':
            raise AttributeError(name)
        return getattr(self.dataset, name)


def describe_mistake(error: Exception, dataset: Any,
                     clip: str) -> Optional[str]:
    """Describe an error that is not one of a clip's file.

    An error is one of the file if a transform raised it whose rule says that
    it reads the file, or if the file crashed a data worker before.

    Returns:
        str, optional: None of an error of the file.
    """
    owners = (frame.f_locals.get('self')
              for frame, _ in walk_tb(error.__traceback__))
    step = next((owner for owner in owners
                 if (_find_rule(owner) or isinstance(owner, BaseTransform))
                 and not isinstance(owner, MultigridTransform)), None)
    rule = _find_rule(step)
    if isinstance(error, CrashedFile) or rule is not None and rule.does_io:
        return None
    name = transform_name(dataset if step is None else step)
    return (f'{name} failed on {clip}: {type(error).__name__}: {error}. '
            'Only errors of transforms that read the file cost a clip: '
            f'register_transform_rule({name!r}, does_io=True)')


def _find_rule(step: Any) -> Optional[TransformRule]:
    """Find the rule of a transform, also by another registered name."""
    return next((rule for name, rule in RULES.items() if (
        name == transform_name(step) or TRANSFORMS.get(name) is type(step))),
                None)
