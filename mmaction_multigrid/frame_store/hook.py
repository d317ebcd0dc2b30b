"""Hook that lets any MMAction2 training load from a frame store."""

from typing import Any, Sequence

from mmengine.dataset import Compose
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop

from mmaction.registry import HOOKS
from ..config.base import with_pipelines
from ..core.transform_rules import transform_name
from ..loading.train_data import unwrap_datasets
from .sources import SPLITS
from .transforms import GridStoreInit

CLIPS = 16  # clips of a dataset to look for in the store


@HOOKS.register_module()
class FrameStoreHook(Hook):
    """Read full clips from a frame store, without multigrid.

    It needs no other runner, loop or sampler. Frames, crops and flips are
    those of the videos, for the same random numbers, unless a clip is resized
    to another size than its copy has (docs/data.md). With multigrid,
    ``multigrid.grid_store`` does this for the train clips.

    Args:
        store (str): Folder of the frame store.
        splits (Sequence[str]): Of ``'train'``, ``'val'`` and ``'test'`` those
            to read from the store. Defaults to ``('train', )``.

    Raises:
        FileNotFoundError: There is no frame store.
        TypeError: ``store`` is no path.
        ValueError: A split is unknown, the store cannot be read, holds no
            full clips or no clip of a split, or does not support a pipeline.

    Examples:
        >>> custom_hooks = [dict(type='FrameStoreHook', store='data/store')]
    """

    def __init__(self, store: str, splits: Sequence[str] = SPLITS[:1]) -> None:
        self.store, self.splits = store, splits
        if not isinstance(store, str):
            raise TypeError(f'FrameStoreHook.store = {store!r}: must be the '
                            'path of a folder')
        if not isinstance(splits,
                          (list, tuple)) or not all(split in SPLITS
                                                    for split in splits):
            raise ValueError(f'FrameStoreHook.splits = {splits!r}: must be a '
                             f'list of {", ".join(SPLITS)}')

    def before_run(self, runner) -> None:
        """Put the transforms of the store into the pipelines."""
        for split in self.splits:
            # The property would build a loop that this run does not need.
            loop = getattr(runner, f'_{split}_loop')
            if not isinstance(loop, BaseLoop):
                continue
            config = runner.cfg[f'{split}_dataloader']['dataset']
            if transform_name(config) == 'MultigridDataset':
                raise ValueError(
                    f'FrameStoreHook.splits = {self.splits!r}: in multigrid '
                    "training leave 'train' out and set multigrid.grid_store")
            # Data workers start later, and get the new pipelines.
            for dataset, config in zip(
                    unwrap_datasets(loop.dataloader.dataset),
                    with_pipelines(config)):
                dataset.pipeline = Compose(
                    GridStoreInit.insert(config, self.store, True))
                self._check(runner, dataset, split)
            runner.logger.info(f'{split}: clips are read from {self.store}')

    def _check(self, runner, dataset: Any, split: str) -> None:
        """Look for copies of some clips of a dataset in the store."""
        opener = next(
            step for step in dataset.pipeline.transforms
            if isinstance(step, GridStoreInit))
        some = range(0, len(dataset), len(dataset) // CLIPS + 1)
        missing = [opener.find(dataset.get_data_info(i))
                   for i in some].count(None)
        if missing == len(some):
            raise ValueError(
                f'frame store {self.store!r}: holds none of the {split} clips '
                f'that are read by {opener.reader!r}; add them by '
                '`mmaction-multigrid store build STORE --config CONFIG '
                f'--splits {" ".join(self.splits)}`')
        if missing:
            runner.logger.warning(
                f'{split}: {missing} of {len(some)} clips that were looked up '
                f'are not in {self.store}, and are read from their originals')
