"""Errors of the training data that are found before training."""

import logging
import os.path as osp
from typing import Any, Iterator, Mapping, Optional, Sequence

from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.logging import print_log
from mmengine.registry import DefaultScope

from ..core.transform_rules import transform_name
from .files import BYTE_ORDER_MARK, clip_path, find_reader, read_list
from .labels import check_classes, check_label_columns

FIRST_CLIPS = 10


def build_dataset(dataset: Any) -> Any:
    """Build a data set from its config, or take one that is built, and look for its first clips.

    They are looked for where stock transforms read local files: not by remote names, in data bases and in memory.

    Raises:
        FileNotFoundError: The list is missing, or all first clips of a data set, one of several among them.
        ValueError: A line has no class number, or a class beyond those of a
            multi-label dataset; or the list is not UTF-8, or
            begins with a byte-order mark.
    """
    try:
        built = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        if hasattr(built, 'full_init'):
            built.full_init()
    except (OSError, UnicodeDecodeError) as error:
        for config in _configs(dataset):
            _check_readable(config, error)
        raise
    except ValueError:
        for config in _configs(dataset):
            check_label_columns(config)
        raise
    for part in unwrap_datasets(built):
        if isinstance(part, BaseActionDataset) and part.multi_class:
            check_classes(part, part.num_classes,
                          f'{type(part).__name__}.num_classes')
        _check_first_clips(part)
    return built


def _check_readable(config: Mapping, error: Exception) -> None:
    name, root = config.get('ann_file'), config.get('data_root')
    path = osp.join(root or '', name) if isinstance(name, str) else ''
    if not path or '://' in path:
        return
    if not osp.isfile(path):
        where = f' in data_root = {root!r}' if root else ''
        raise FileNotFoundError(
            f'{transform_name(config)}.ann_file = {name!r}: there is no such '
            f'file{where}; train_dataloader.dataset needs its list of clips'
        ) from error
    if isinstance(error, UnicodeDecodeError) and not path.endswith('.pkl'):
        read_list(path)  # its error names the list and the line


def _configs(dataset: Any) -> Iterator[Mapping]:
    """Configs of a data set, and of those that it wraps."""
    if isinstance(dataset, Mapping):
        yield dataset
        yield from _configs(dataset.get('dataset'))
        yield from _configs(dataset.get('datasets'))
    elif isinstance(dataset, (list, tuple)):
        for entry in dataset:
            yield from _configs(entry)


def unwrap_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the datasets that have clips of their own."""
    if isinstance(dataset, ConcatDataset):
        for entry in dataset.datasets:
            yield from unwrap_datasets(entry)
    elif isinstance(dataset, (RepeatDataset, ClassBalancedDataset)):
        yield from unwrap_datasets(dataset.dataset)
    else:
        yield dataset


def _check_first_clips(dataset: Any) -> None:
    if not hasattr(dataset, 'get_data_info'):
        return
    indices = range(min(FIRST_CLIPS, len(dataset)))
    infos = [dataset.get_data_info(index) for index in indices]
    first = infos and (infos[0].get('filename') or infos[0].get('frame_dir'))
    if isinstance(first, str) and BYTE_ORDER_MARK in first:
        raise ValueError(
            f'ann_file = {getattr(dataset, "ann_file", None)!r}: begins with '
            'a byte-order mark, which MMAction2 takes for a part of the first '
            'name; save the list as UTF-8 without one')
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', [])
    stores = [step for step in steps if hasattr(step, 'holds')]
    steps = [getattr(step, 'original', step) for step in steps]
    reader = find_reader(steps)
    if reader is None or any(
            getattr(step, 'io_backend', 'disk') not in ('disk', 'local')
            for step in steps):
        return
    names = [clip_path(info, reader) for info in infos]
    if reader == 'pyav':
        _warn_of_no_count(dataset, names)
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


def _warn_of_no_count(dataset: Any, names: Sequence[Optional[str]]) -> None:
    """Say once for a data set that PyAV cannot tell its numbers of frames."""
    import av  # PyAVInit needs it, and nothing else here
    for name in filter(None, names):
        try:
            with av.open(name) as container:
                counted = container.streams.video[0].frames > 0
        except Exception:  # of a broken file, reported when it is loaded
            continue
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


def check_train_data(cfg: Mapping) -> None:
    """Build the training data of a resolved config once, for its errors.

    Args:
        cfg (Config): It is ignored if its dataset is no ``MultigridDataset``.

    Raises:
        FileNotFoundError: The list, the folder or the first clips are
            missing.
        ValueError: The list is wrong.
    """
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    if isinstance(dataset, Mapping) and transform_name(
            dataset) == 'MultigridDataset':
        with DefaultScope.overwrite_default_scope(
                cfg.get('default_scope', 'mmaction')):
            DATASETS.build(dataset)
