"""A list that is not there, or clips that are not where it says: one error, before training."""

import os.path as osp
from typing import Any, Iterator, List, Mapping, Optional

from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.registry import DefaultScope

from .labels import check_classes, check_list
from .rules import OPENERS, transform_name

FIRST_CLIPS = 10


def check_train_data(cfg: Mapping) -> None:
    """Build the train data of a resolved config once, for its errors, before anything else is built.

    Args:
        cfg (Config): Left alone if its ``train_dataloader.dataset`` is no ``MultigridDataset``.

    Raises:
        FileNotFoundError: The list, the folder or the first clips are missing.
    """
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    if isinstance(dataset, Mapping) and transform_name(dataset) == 'MultigridDataset':
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmaction')):
            DATASETS.build(dataset)


def build_dataset(dataset: Any) -> Any:
    """Build a data set from its config, or take one that is built, and look for its first clips.

    They are looked for where stock transforms read local files: not by remote names, in data bases and in memory.

    Raises:
        FileNotFoundError: The list is missing, or all first clips of a data set, one of several among them.
        ValueError: A line has no class number, or a class beyond those of a
            multi-label dataset.
    """
    try:
        built = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        if hasattr(built, 'full_init'):
            built.full_init()
    except OSError as error:
        for config in _configs(dataset):
            name, root = config.get('ann_file'), config.get('data_root')
            path = osp.join(root or '', name) if isinstance(name, str) else ''
            if path and '://' not in path and not osp.isfile(path):
                where = f' in data_root = {root!r}' if root else ''
                raise FileNotFoundError(f'{transform_name(config)}.ann_file = {name!r}: there is no such file'
                                        f'{where}; train_dataloader.dataset needs its list of clips') from error
        raise
    except ValueError:
        for config in _configs(dataset):
            check_list(config)
        raise
    for leaf in leaves(built):
        if isinstance(leaf, BaseActionDataset) and leaf.multi_class:
            check_classes(leaf, leaf.num_classes,
                          f'{type(leaf).__name__}.num_classes')
        _check_first_clips(leaf)
    return built


def _configs(dataset: Any) -> Iterator[Mapping]:
    """Configs of a data set, and of those that it wraps."""
    if isinstance(dataset, Mapping):
        yield dataset
        yield from _configs(dataset.get('dataset'))
        yield from _configs(dataset.get('datasets'))
    elif isinstance(dataset, (list, tuple)):
        for entry in dataset:
            yield from _configs(entry)


def leaves(dataset: Any) -> Iterator[Any]:
    """Data sets that have clips of their own."""
    if isinstance(dataset, ConcatDataset):
        for entry in dataset.datasets:
            yield from leaves(entry)
    elif isinstance(dataset, (RepeatDataset, ClassBalancedDataset)):
        yield from leaves(dataset.dataset)
    else:
        yield dataset


def _check_first_clips(dataset: Any) -> None:
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', [])
    stores = [step for step in steps if hasattr(step, 'holds')]
    steps = [getattr(step, 'original', step) for step in steps]
    key = _file_key(steps)
    if key is None or any(getattr(step, 'io_backend', 'disk') not in ('disk', 'local') for step in steps):
        return
    infos = [dataset.get_data_info(index) for index in range(min(FIRST_CLIPS, len(dataset)))]
    names = [info.get(key) for info in infos]
    if not names or any(not isinstance(name, str) or '://' in name or osp.exists(name) for name in names):
        return
    if any(step.holds(info) for step in stores for info in infos):
        return
    kind, prefix = type(dataset).__name__, getattr(dataset, 'data_prefix', None)
    folders = prefix.values() if isinstance(prefix, dict) else [prefix]
    gone = [folder for folder in folders if isinstance(folder, str) and folder and not osp.isdir(folder)]
    what = f'{kind}.data_prefix = {prefix!r}: there is no such folder, and ' if gone else f'{kind}: '
    raise FileNotFoundError(
        f'{what}none of the first {len(names)} clips of ann_file = {getattr(dataset, "ann_file", None)!r} is there: '
        f'{", ".join(map(repr, names[:3]))}; is data_prefix = {prefix!r} the folder that the list is for?')


def _file_key(steps: List[Any]) -> Optional[str]:
    """Where a stock pipeline finds the name of the file, or of the folder of frames, that it reads."""
    names = {transform_name(step) for step in steps}
    if names & {*OPENERS, 'PIMSInit'}:
        return 'filename'
    return 'frame_dir' if 'RawFrameDecode' in names else None
