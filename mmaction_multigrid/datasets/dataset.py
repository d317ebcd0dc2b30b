"""The data set wrapper that opens a clip's shape for the pipeline."""

from typing import Any, Optional, Set, Tuple, Union

import numpy as np
import torch
from mmaction.registry import DATASETS

from ..schedule import Shape, is_count
from ..survival import Crashes, Tally
from .broken import describe_mistake, is_of_the_file, is_of_the_machine
from .copies import watch_copies
from .grid import Grid, open_grid
from .labels import check_classes, keeps_labels
from .missing import build_dataset, leaves
from .seed import seeded

MAX_TRIES = 100


@DATASETS.register_module()
class MultigridDataset:
    """Loads ``(index, shape)`` items from any data set whose pipeline holds :class:`MultigridTransform`.

    A plain index loads the clip in the base shape. Once :meth:`set_epoch` was called, the random numbers of a clip
    follow from seed, epoch and index alone: not from the number of workers, nor from what was loaded before, so
    that a resumed run sees the very clips of an undisturbed one. An item ``(index, shape, epoch)`` is of that epoch,
    which workers load ahead. A clip that cannot be loaded is replaced by another of the same shape, a broken copy in a
    grid store by its original; see :meth:`report_to`. Everything else, ``metainfo`` and ``full_init`` among it, is the
    wrapped data set's.

    Args:
        dataset (dict or Dataset): The data set to wrap: repeat, concat and raw-frame data sets too.
        base_shape (tuple[int, int]): Frames and crop (pixels) of the base config.

    Raises:
        FileNotFoundError: The list is missing, or all of the first clips are.
        ValueError: The list has a line without a class number, or a class
            beyond those of a multi-label dataset.
        RuntimeError: When a clip is loaded: a hundred in a row cannot be, or
            something other than its file is at fault.
    """

    def __init__(self, dataset: Union[dict, Any], base_shape: Tuple[int, int]) -> None:
        self.dataset = build_dataset(dataset)
        if len(base_shape) != 2 or not all(map(is_count, base_shape)):
            raise ValueError(f'base_shape = {base_shape!r}: must be frames and crop of the base config, above 0')
        self.base_shape = tuple(base_shape)
        # Shared memory: workers are forked once and have to see the epoch change. Negative: not set.
        self._clock = torch.full((2, ), -1, dtype=torch.int64).share_memory_()
        self._report: Optional[str] = None
        self._crashes = Crashes()
        self._tally = Tally()
        self._bad_copies: Set[str] = set()

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Draw the random numbers of every clip, in all workers, from ``(seed, epoch, index)`` from now on."""
        self._clock[0], self._clock[1] = seed, epoch

    def report_to(self, path: Optional[str], num_workers: int = 0) -> None:
        """Append a line, (name, error, what was done), to this file for every file that cannot be loaded.

        For a copy in a grid store there is one line a worker, however often its original is read instead.
        From now on :attr:`tries` counts, in this process and in ``num_workers`` workers. To be called before they start.
        """
        self._report = path
        self._bad_copies.clear()
        self._tally = Tally(num_workers)

    def check_classes(self, num_classes: int) -> None:
        """Look for clips of a class that the head has not.

        Not where a transform of the user's own may give a clip another one.

        Raises:
            ValueError: There is one.
        """
        for leaf in leaves(self.dataset):
            if keeps_labels(leaf) and not getattr(leaf, 'multi_class', True):
                check_classes(leaf, num_classes, 'model.cls_head.num_classes')

    @property
    def tries(self) -> Tuple[int, int]:
        """Clips that were tried, and how many of them could not be loaded."""
        return self._tally.total()

    def survive_crashes(self, num_workers: int, path: Optional[str] = None) -> None:
        """Have :meth:`leave_out` know what each of ``num_workers`` workers has open, and keep what it is told in a file.

        To be called before workers start.
        """
        self._crashes = Crashes(num_workers, path)

    def leave_out(self, worker: int) -> Optional[str]:
        """Name of the file that a crashed worker had open, None if it had none.

        Workers that are started from now on replace it by another clip.
        """
        blamed = self._crashes.blame(worker)
        if blamed is None:
            return None
        name = self._name(blamed.index)
        self._crashes.add(name, blamed.epoch)
        self._tally.add(failed=True)
        return name

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: Union[int, Tuple[int, Shape], Tuple[int, Shape, int]]) -> Any:
        if not isinstance(item, tuple):
            return self.dataset[item]
        index, shape, *ahead = item
        seed, epoch = self._clock.tolist()
        if ahead and epoch >= 0:
            epoch, = ahead
        with open_grid(Grid(shape.num_frames, shape.crop_size, *self.base_shape)):
            if epoch < 0:
                return self._load(index, epoch)
            with seeded(seed, epoch, index):
                return self._load(index, epoch)

    def _load(self, index: int, epoch: int) -> Any:
        tries = 0
        while True:
            try:
                with self._crashes.opening(index, epoch, self._name):
                    clip = self._load_one(index)
                self._tally.add(failed=False)
                return clip
            except Exception as error:  # whatever a decoder makes of a broken file
                if is_of_the_machine(error):
                    raise
                if not is_of_the_file(error):
                    raise RuntimeError(describe_mistake(
                        error, self.dataset, self._name(index))) from error
                self._tally.add(failed=True)
                name = self._name(index)
                self._tell(name, error, 'another clip took its place')
                tries += 1
                if tries == MAX_TRIES:
                    raise RuntimeError(f'{MAX_TRIES} clips in a row cannot be loaded; the last one: {name}, '
                                       f'{type(error).__name__}: {error}') from error
            # No error is held any more, and with it no decoder that could crash while the next clip is open.
            index = np.random.randint(len(self))

    def _load_one(self, index: int) -> Any:
        with watch_copies() as failures:
            try:
                return self.dataset[index]
            finally:
                for name, error in failures:
                    if name not in self._bad_copies:  # a line for each, not for each time that its clip is loaded
                        self._bad_copies.add(name)
                        self._tell(name, error, 'the original was read instead')

    def _tell(self, name: str, error: Exception, outcome: str) -> None:
        if self._report:
            text = ' '.join(f'{type(error).__name__}: {str(error).strip()}'.splitlines()[0].split('\t'))
            with open(self._report, 'a', encoding='utf-8', errors='backslashreplace') as file:
                file.write(f'{name}\t{text}\t{outcome}\n')

    def _name(self, index: int) -> str:
        try:
            info = self.dataset.get_data_info(index)
            return str(info.get('filename') or info['frame_dir'])
        except Exception:  # a data set without such names
            return f'clip {index}'

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'dataset':  # asked for by copy and pickle before __init__
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(base_shape={self.base_shape}, dataset={self.dataset!r})'
