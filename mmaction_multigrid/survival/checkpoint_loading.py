"""Loads checkpoint files, those from the net too, without running anything that they name."""

import logging
import os
import os.path as osp
import pickle
from typing import Any, Optional
from urllib.parse import urlparse


def is_set(variable: str) -> bool:
    """Whether a switch in the environment is on, by torch's rule."""
    return os.environ.get(variable, '0').lower() in ('1', 'y', 'yes', 'true')


def load_local_checkpoint(filename: str, map_location: Any = None) -> dict:
    """Load a checkpoint file, the one that mmengine writes too, without running anything that it names.

    It is read with ``weights_only=True`` first. That refuses the log history in every full mmengine checkpoint, which
    is then read by :mod:`.checkpoint_pickle`. ``TORCH_FORCE_WEIGHTS_ONLY_LOAD=1`` has such a file refused;
    ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1`` has a file that both refuse read in full, which runs whatever it names.

    Args:
        filename (str): Path of a local file; ``~`` is expanded.
        map_location: As in :func:`torch.load`.

    Raises:
        FileNotFoundError: There is no such file.
        pickle.UnpicklingError: The file is refused, with what it names and the way to trust it, or damaged.
    """
    import torch

    from . import checkpoint_pickle
    filename = osp.expanduser(filename)
    if not osp.isfile(filename):
        raise FileNotFoundError(f'{filename} can not be found.')
    try:
        return torch.load(filename, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError:
        if is_set('TORCH_FORCE_WEIGHTS_ONLY_LOAD'):
            raise
    try:
        return torch.load(filename, map_location=map_location, pickle_module=checkpoint_pickle, weights_only=False)
    except checkpoint_pickle.Refused as refused:
        if not is_set('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'):
            raise pickle.UnpicklingError(
                f'{filename} names {refused.what}, which no checkpoint needs and which may run anything: it is not read. '
                'Only if you trust whoever made the file as you trust a program of theirs, set '
                'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1') from None
        return _load_in_full(filename, map_location, refused.what)
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(f'{filename}: {error}') from error


def _load_in_full(filename: str, map_location: Any, reason: str) -> dict:
    import torch
    from mmengine import logging as mmengine_logging
    mmengine_logging.print_log(
        f'{filename} names {reason} and is read in full, with whatever that runs, since '
        'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is set', logger='current', level=logging.WARNING)
    return torch.load(filename, map_location=map_location, weights_only=False)


def load_downloaded_checkpoint(url: str, model_dir: Optional[str] = None, map_location: Any = None,
                               progress: bool = True) -> dict:
    """Download a checkpoint file, unless it was before, and load it by :func:`load_local_checkpoint`.

    Args:
        url (str): Where it is.
        model_dir (str, optional): Folder to keep it in. Defaults to torch's, in ``TORCH_HOME``.
        map_location: As in :func:`torch.load`.
        progress (bool): Show how far the download is. Defaults to True.

    Raises:
        pickle.UnpicklingError: The file is refused, or damaged.
    """
    from torch.hub import download_url_to_file, get_dir
    folder = model_dir or osp.join(get_dir(), 'checkpoints')
    os.makedirs(folder, exist_ok=True)
    path = osp.join(folder, osp.basename(urlparse(url).path))
    if not osp.exists(path):
        download_url_to_file(url, path, None, progress)
    return load_local_checkpoint(path, map_location)
