"""Dataset wrapper that replaces clips that cannot be loaded."""

import errno
import re
from pathlib import Path
from traceback import walk_tb
from typing import Any, Dict, Optional, Tuple, Union

import numpy as np
from mmcv.transforms import BaseTransform

from mmaction.registry import DATASETS, TRANSFORMS
from ..core.dataset import DatasetWrapper, current_epoch
from ..core.transform_rules import RULES, TransformRule, transform_name
from ..core.transforms import MultigridTransform
from .train_data import build_dataset, check_classes, clip_name
from .workers import WorkerState

MAX_TRIES = 100
# Disk, memory or file handles have run out. The next clip would fail as well,
# and no file is to blame.
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE,
                  errno.ENFILE)

# Outcomes in a report of files that cannot be loaded.
REPLACED = 'another clip took its place'
LEFT_OUT = 'left out from epoch {} on'


class CrashedFile(RuntimeError):
    """A file that crashed the data worker that opened it."""

    def __init__(self) -> None:
        super().__init__('ended the process that opened it')


@DATASETS.register_module()
class ReplaceBrokenClips(DatasetWrapper):
    """Replace a clip whose file cannot be read by another one.

    The other clip is drawn at random, in the same shape. All other attributes
    are those of the wrapped dataset.

    Args:
        dataset (dict or Dataset): The dataset to wrap, which may be a repeat,
            concat or raw-frame dataset.

    Raises:
        FileNotFoundError: The annotation list is missing.
        ValueError: A line of the list has no class number.
        RuntimeError: When a clip is loaded, if a hundred clips in a row
            cannot be, or if the error is not one of a file.
    """

    def __init__(self, dataset: Union[dict, Any]) -> None:
        self.dataset = build_dataset(dataset)
        self.watch()

    def watch(self,
              num_workers: int = 0,
              report: Optional[str] = None) -> None:
        """Count and report broken files from now on.

        Call it before the workers start.

        Args:
            num_workers (int): Number of data workers. Defaults to 0.
            report (str, optional): File to append a line (name, error,
                outcome) to for every file that cannot be loaded. Files that
                crashed a worker, as this file says at the start, are
                replaced. Defaults to None, which means no report.
        """
        self._state = WorkerState(num_workers)
        self._report = report
        # Files that crashed a worker, and the epochs from which on they are
        # replaced. A resumed run that repeats earlier epochs opens them
        # again, and so trains on the same clips.
        self._crashed: Dict[str, int] = {}
        if report and Path(report).is_file():
            found = re.findall(
                r'(?m)^(.*)\t.*\t' + LEFT_OUT.format(r'(\d+)') + '$',
                Path(report).read_text('utf-8', 'replace'))
            self._crashed.update((name, int(epoch)) for name, epoch in found)

    @property
    def tries(self) -> Tuple[int, int]:
        """tuple[int, int]: Clips that were tried, and that failed."""
        return self._state.totals()

    def check_classes(self, num_classes: int) -> None:
        """Check the classes, see :func:`.train_data.check_classes`."""
        check_classes(self.dataset, num_classes)

    def leave_out(self, worker: int) -> Optional[str]:
        """Leave out the file that a crashed worker had open.

        Workers that start from now on replace it.

        Args:
            worker (int): Number of the worker.

        Returns:
            str, optional: Name of the file; None if none was open.
        """
        opened = self._state.pop_open(worker)
        if opened is None:
            return None
        epoch, index = opened
        name = self._name(index)
        self._crashed[name] = epoch
        self._write(name, CrashedFile(), LEFT_OUT.format(epoch))
        return name

    def __getitem__(self, index: int) -> Any:
        for _ in range(MAX_TRIES):
            try:
                return self._load(index)
            except Exception as error:
                if is_machine_error(error):
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
        with self._state.opening(epoch, index):
            # After `opening`, so that the clip counts as failed.
            if self._crashed and epoch >= self._crashed.get(
                    self._name(index), epoch + 1):
                raise CrashedFile()
            return self.dataset[index]

    def _write(self, name: str, error: Exception, outcome: str) -> None:
        if self._report:
            # One line with two tabs, for BadVideosHook to split.
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


def is_machine_error(error: Exception) -> bool:
    """Check for an error of the machine or of the installed packages."""
    return (isinstance(error, (MemoryError, ImportError))
            or getattr(error, 'errno', None) in MACHINE_ERRORS)


def describe_mistake(error: Exception, dataset: Any,
                     clip: str) -> Optional[str]:
    """Describe an error that does not come from the file of a clip.

    It does come from the file if the file has crashed a data worker, or if
    the error was raised in a transform whose rule has ``does_io``.

    Args:
        error (Exception): The error.
        dataset (Dataset): The dataset, for errors outside of transforms.
        clip (str): Name of the clip, for the message.

    Returns:
        str, optional: The description; None if the error comes from the file.
    """
    # The outermost transform in the trace counts: a decoder may call others.
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
            'Only clips whose file cannot be read are replaced; if the '
            'transform reads files, add '
            f'register_transform_rule({name!r}, does_io=True)')


def _find_rule(step: Any) -> Optional[TransformRule]:
    """Find the rule of a transform, also under another registered name."""
    return next((rule for name, rule in RULES.items() if (
        name == transform_name(step) or TRANSFORMS.get(name) is type(step))),
                None)
