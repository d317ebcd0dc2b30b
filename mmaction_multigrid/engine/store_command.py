"""The command that builds a grid store for a run."""

import shlex
from typing import Any, Optional

from mmengine.config import Config


def store_command(cfg: Config, dataset: Any) -> Optional[str]:
    """What to type for small copies of a run's videos; None: the run has them, or its data set no list of files.

    Args:
        cfg: The run's resolved config.
        dataset: The train data set; of several, the command is for the first.
    """
    if 'GridStore' in str(cfg.get('train_dataloader')):
        return None
    while not getattr(dataset, 'ann_file', None):
        inner = getattr(dataset, 'dataset', None) or next(iter(getattr(dataset, 'datasets', None) or ()), None)
        if inner is None:
            return None
        dataset = inner
    root = next((folder for folder in (dataset.data_prefix or {}).values() if folder), '.')
    names = (dataset.ann_file, 'STORE', '--root', root, '--config', cfg.filename or 'CONFIG')
    return ' '.join(['python -m mmaction_multigrid store build', *map(shlex.quote, map(str, names))])
