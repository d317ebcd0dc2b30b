"""Check lists, files and classes of the training data."""

import logging
import os.path as osp
from contextlib import suppress
from typing import Any, Iterator, List, Mapping, Optional, Sequence

from mmengine.dataset import (BaseDataset, ClassBalancedDataset, ConcatDataset,
                              RepeatDataset)
from mmengine.logging import print_log
from mmengine.registry import DefaultScope

from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS
from ..core.transform_rules import RULES, transform_name
from .files import BYTE_ORDER_MARK, clip_name, clip_path, read_list

FIRST_CLIPS = 10
IGNORED = -100  # the class of a clip that cross-entropy ignores
# Packages whose transforms keep a clip's class.
STOCK = {'mmaction', 'mmcv', 'mmaction_multigrid'}


def check_train_data(cfg: Mapping) -> None:
    """Build the training data of a resolved config once to check it.

    Args:
        cfg (Config): It is ignored if its dataset is no ``MultigridDataset``.

    Raises:
        FileNotFoundError, ValueError: See :func:`build_dataset`.
    """
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    if (isinstance(dataset, Mapping)
            and transform_name(dataset) == 'MultigridDataset'):
        scope = cfg.get('default_scope', 'mmaction')
        with DefaultScope.overwrite_default_scope(scope):
            DATASETS.build(dataset)


def build_dataset(dataset: Any) -> Any:
    """Build a dataset, unless it is built, and look for its first clips.

    Clips by remote names, in data bases and in memory are not looked for.

    Raises:
        FileNotFoundError: The list or all first clips of a dataset are
            missing.
        ValueError: A line has no class number, or a class beyond those of a
            multi-label dataset; or the list is not UTF-8, or begins with a
            byte-order mark.
    """
    try:
        is_config = isinstance(dataset, dict)
        built = DATASETS.build(dataset) if is_config else dataset
        if hasattr(built, 'full_init'):
            built.full_init()
    except (OSError, ValueError) as error:  # UnicodeDecodeError, too
        for config in _configs(dataset):
            _check_list(config, error)
        raise
    for part in unwrap_datasets(built):
        if isinstance(part, BaseActionDataset) and part.multi_class:
            check_classes(part, part.num_classes,
                          f'{type(part).__name__}.num_classes')
        if hasattr(part, 'get_data_info'):
            _check_first_clips(part)
    return built


def unwrap_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the datasets that have clips of their own."""
    if isinstance(dataset, ConcatDataset):
        for entry in dataset.datasets:
            yield from unwrap_datasets(entry)
    elif isinstance(dataset, (RepeatDataset, ClassBalancedDataset)):
        yield from unwrap_datasets(dataset.dataset)
    else:
        yield dataset


def _configs(dataset: Any) -> Iterator[Mapping]:
    """Yield the configs of a dataset and of those that it wraps."""
    if isinstance(dataset, Mapping):
        yield dataset
        dataset = dataset.get('dataset'), dataset.get('datasets')
    if isinstance(dataset, (list, tuple)):
        for entry in dataset:
            yield from _configs(entry)


def _check_list(config: Mapping, error: Exception) -> None:
    """Raise an error that names what is wrong with the list of a dataset."""
    name, root = config.get('ann_file'), config.get('data_root')
    kind, where = transform_name(config), f'in data_root = {root!r}'
    path = osp.join(root or '', name) if isinstance(name, str) else ''
    if not path or '://' in path:
        return
    if isinstance(error, OSError) and not osp.isfile(path):
        raise FileNotFoundError(
            f'{kind}.ann_file = {name!r}: there is no such '
            f'file{f" {where}" if root else ""}; '
            'train_dataloader.dataset needs its list of clips') from error
    if isinstance(error, UnicodeDecodeError) and not path.endswith('.pkl'):
        read_list(path)  # its error names the line
    if kind not in ('VideoDataset', 'RawframeDataset'):
        return
    with open(path, encoding='utf-8', errors='replace') as file:
        for number, line in enumerate(file, 1):
            parts = line.strip().split(config.get('delimiter'))
            if not all(part.lstrip('+-').isdigit() for part in parts[1:]):
                raise ValueError(f'{kind}.ann_file = {name!r}, line '
                                 f'{number}: {line.strip()!r} must be a '
                                 'name and integers; a name with spaces '
                                 'needs another VideoDataset.delimiter')


def check_classes(dataset: Any, num_classes: int, key: str) -> None:
    """Look for a clip whose class does not exist.

    Args:
        dataset (BaseDataset): A dataset with clips of its own.
        num_classes (int): Number of classes.
        key (str): The key that sets this number.

    Raises:
        ValueError: There is one.
    """
    for index in range(len(dataset)):
        # A dataset's own method may fail at such a class.
        info = BaseDataset.get_data_info(dataset, index)
        labels = info.get('label')
        single = not isinstance(labels, list)
        for label in [labels] if single else labels:
            if (isinstance(label, int) and label not in range(num_classes)
                    and not (single and label == IGNORED)):
                raise ValueError(
                    f'{type(dataset).__name__}.ann_file = '
                    f'{dataset.ann_file!r}: {clip_name(info, index)} has '
                    f'class {label}, but {key} = {num_classes} allows 0 to '
                    f'{num_classes - 1}; mend the list or that number')


def keeps_labels(dataset: Any) -> bool:
    """Check that no transform gives a clip another class."""
    modules = {
        type(getattr(step, 'base', step)).__module__.split('.')[0]
        for step in _transforms(dataset)
    }
    return isinstance(dataset, BaseDataset) and modules <= STOCK


def _transforms(dataset: Any) -> List[Any]:
    return getattr(getattr(dataset, 'pipeline', None), 'transforms', [])


def _check_first_clips(dataset: Any) -> None:
    ann_file = getattr(dataset, 'ann_file', None)
    infos = [
        dataset.get_data_info(index)
        for index in range(min(FIRST_CLIPS, len(dataset)))
    ]
    if any(BYTE_ORDER_MARK in clip_name(info, 0) for info in infos[:1]):
        raise ValueError(f'ann_file = {ann_file!r}: begins with a byte-order '
                         'mark, which MMAction2 takes for a part of the first '
                         'name; save the list as UTF-8 without one')
    steps = _transforms(dataset)
    stores = [step for step in steps if hasattr(step, 'holds')]
    steps = [getattr(step, 'original', step) for step in steps]
    rules = (RULES.get(transform_name(step)) for step in steps)
    readers = (rule and (rule.opens or rule.decodes) for rule in rules)
    reader = next(filter(None, readers), None)
    names = [clip_path(info, reader) for info in infos]
    if reader == 'pyav':
        _warn_of_no_count(dataset, names)
    backends = {getattr(step, 'io_backend', 'disk') for step in steps}
    if not names or not backends <= {'disk', 'local'} or any(
            not isinstance(name, str) or '://' in name or osp.exists(name)
            for name in names):
        return
    if any(step.holds(info) for step in stores for info in infos):
        return
    kind, prefix = type(dataset).__name__, getattr(dataset, 'data_prefix', {})
    folders = prefix.values() if isinstance(prefix, dict) else [prefix]
    what = ':'
    if any(folder and not osp.isdir(folder) for folder in folders):
        what = f'.data_prefix = {prefix!r}: there is no such folder, and'
    raise FileNotFoundError(
        f'{kind}{what} none of the first {len(names)} clips of ann_file = '
        f'{ann_file!r} is there: {", ".join(map(repr, names[:3]))}; is '
        f'data_prefix = {prefix!r} the folder that the list is for?')


def _warn_of_no_count(dataset: Any, names: Sequence[Optional[str]]) -> None:
    """Warn once per dataset if PyAV cannot read its numbers of frames."""
    import av  # needed for PyAVInit alone
    for name in filter(None, names):
        counted = True
        # A broken file is reported when it is loaded.
        with suppress(Exception), av.open(name) as container:
            counted = container.streams.video[0].frames > 0
        if not counted:
            print_log(
                f'{type(dataset).__name__}: the header of {name!r} holds no '
                'number of frames. The frames of such files are counted by '
                'decoding, which takes time; MMAction2 without this package '
                f'reads their first frame only. `ffmpeg -i {name} -c copy '
                'NEW.mp4` writes a header that holds it',
                logger='current',
                level=logging.WARNING)
            return
