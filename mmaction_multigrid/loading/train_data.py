"""Annotation lists, files and classes of the training data."""

import os.path as osp
from pathlib import Path
from typing import Any, Iterator, List, Mapping, Optional, Union

from mmengine.dataset import (BaseDataset, ClassBalancedDataset, ConcatDataset,
                              RepeatDataset)

from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS
from ..core.transform_rules import VIDEO_READERS, transform_name

IGNORED = -100  # class of clips that cross-entropy ignores
# Packages whose transforms do not change the class of a clip.
STOCK = {'mmaction', 'mmcv', 'mmaction_multigrid'}


def read_list(path: Union[str, Path]) -> List[str]:
    """Read the lines of an annotation list as MMAction2 splits them.

    Args:
        path (str or Path): The list.

    Returns:
        list[str]: The lines without empty ones and without a byte-order
        mark.

    Raises:
        FileNotFoundError: There is no such list.
        ValueError: It is not UTF-8.
    """
    try:
        with open(path, encoding='utf-8-sig') as file:
            return [line.rstrip('\n') for line in file if line.strip()]
    except FileNotFoundError:
        raise FileNotFoundError(
            f'{path}: there is no such list; give an annotation file with '
            'one clip per line') from None
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: is not UTF-8 ({error}); '
                         'save the list as UTF-8') from None


def video_path(name: str) -> str:
    """Return the path of the file that ``DecordInit`` opens for a name.

    It adds ``.mp4`` to a name without an extension.
    """
    return name if osp.splitext(name)[1] else f'{name}.mp4'


def clip_name(info: Mapping, index: int) -> str:
    """Return the file or folder of a clip, or else its index."""
    return str(
        info.get('filename') or info.get('frame_dir') or f'clip {index}')


def clip_path(info: Mapping, reader: Optional[str]) -> Optional[str]:
    """Return the file, or the folder of pictures, that a reader opens.

    Args:
        info (Mapping): Description of a clip by its dataset.
        reader (str, optional): ``opens`` or ``decodes`` of a rule.

    Returns:
        str, optional: The path; None if the reader opens no file.
    """
    if reader == 'frames':
        return info.get('frame_dir')
    if reader not in (*VIDEO_READERS, 'pims'):
        return None
    path = info.get('filename')
    return video_path(path) if path and reader == 'decord' else path


def build_dataset(dataset: Any) -> Any:
    """Build a dataset and explain errors in its annotation list.

    Args:
        dataset (dict or Dataset): The config, or the dataset itself.

    Raises:
        FileNotFoundError: The list of a dataset is missing.
        ValueError: A line has no class number, or the list is not UTF-8.
    """
    try:
        is_config = isinstance(dataset, dict)
        built = DATASETS.build(dataset) if is_config else dataset
        if hasattr(built, 'full_init'):
            built.full_init()
        return built
    except (OSError, ValueError):  # UnicodeDecodeError is a ValueError
        # MMAction2's errors name neither the file nor the line.
        for config in dataset_configs(dataset):
            _check_list(config)
        raise


def unwrap_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the datasets inside of concatenated and repeated ones."""
    if isinstance(dataset, ConcatDataset):
        for entry in dataset.datasets:
            yield from unwrap_datasets(entry)
    elif isinstance(dataset, (RepeatDataset, ClassBalancedDataset)):
        yield from unwrap_datasets(dataset.dataset)
    else:
        yield dataset


def dataset_configs(dataset: Any) -> Iterator[Mapping]:
    """Yield the config of a dataset and of those that it wraps."""
    if isinstance(dataset, Mapping):
        yield dataset
        dataset = dataset.get('dataset'), dataset.get('datasets')
    if isinstance(dataset, (list, tuple)):
        for entry in dataset:
            yield from dataset_configs(entry)


def _check_list(config: Mapping) -> None:
    """Raise an error that names a mistake in the list of a dataset."""
    kind, path = transform_name(config), str(config.get('ann_file'))
    if kind not in ('VideoDataset', 'RawframeDataset') or '://' in path:
        return
    path = osp.join(config.get('data_root') or '', path)
    for line in read_list(path):
        parts = line.strip().split(config.get('delimiter'))
        if not all(part.lstrip('+-').isdigit() for part in parts[1:]):
            raise ValueError(f'{kind}.ann_file = {path!r}: {line.strip()!r} '
                             'must be a name and integers; a name with '
                             'spaces needs another VideoDataset.delimiter')


def check_classes(dataset: Any, num_classes: int) -> None:
    """Check that the class of each clip exists.

    Args:
        dataset (Dataset): The dataset. Parts with several classes per clip,
            and parts whose transforms may change a class, are skipped.
        num_classes (int): Number of classes of the head.

    Raises:
        ValueError: A class does not exist.
    """
    for part in unwrap_datasets(dataset):
        if (not isinstance(part, BaseActionDataset) or part.multi_class
                or not _keeps_labels(part)):
            continue
        for index in range(len(part)):
            info = part.get_data_info(index)
            label = info.get('label')
            if (isinstance(label, int) and label != IGNORED
                    and label not in range(num_classes)):
                raise ValueError(
                    f'{type(part).__name__}.ann_file = {part.ann_file!r}: '
                    f'{clip_name(info, index)} has class {label}, but '
                    f'num_classes = {num_classes} allows 0 to '
                    f'{num_classes - 1}; correct the list or num_classes')


def _keeps_labels(dataset: BaseDataset) -> bool:
    """Check that no transform can change the class of a clip."""
    # A MultigridTransform has the wrapped transform as `base`.
    modules = {
        type(getattr(step, 'base', step)).__module__.split('.')[0]
        for step in dataset.pipeline.transforms
    }
    return modules <= STOCK
