"""The config that most commands begin with."""

import argparse
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Optional, Tuple

from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from ..config import multigrid_schedule
from ..config.completed import count_clips
from ..schedule import AUTO, MultigridSchedule, Settings


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the argument CONFIG and ``--cfg-options``."""
    parser.add_argument('config', metavar='CONFIG', help='a multigrid config: a path, or SCOPE::path as in a _base_')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings of the config to override')


def load_config(args: argparse.Namespace) -> Config:
    """The config with the command line's settings in it, and its default scope.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It cannot be read, or has no ``multigrid``.
    """
    with redirect_stdout(sys.stderr):  # where its warnings are in nobody's way
        MMLogger.get_current_instance().setLevel('WARNING')
    name = args.config
    if '::' not in name and not Path(name).is_file():
        raise FileNotFoundError(f'{name}: there is no such config')
    try:
        cfg = Config.fromfile(Config._get_cfg_path(name, '')[0])  # found as a _base_ is
        if args.cfg_options:
            cfg.merge_from_dict(args.cfg_options)
    except Exception as error:  # a config is code, and may do anything
        raise ValueError(f'{name}: cannot be read as a config: {type(error).__name__}: {error}') from error
    if 'multigrid' not in cfg:
        raise ValueError(f'{name}: has no multigrid key: it is a plain or a resolved config')
    init_default_scope(cfg.get('default_scope') or 'mmaction')
    return cfg


def known_clips(cfg: Config, args: argparse.Namespace) -> Optional[int]:
    """Clips in the train data set, as the command line says, or as many as it has; None where it is not here."""
    with redirect_stdout(sys.stderr):  # of a data set that has to be built for it
        return args.clips or count_clips(cfg.train_dataloader)


def load_schedule(cfg: Config, clips: Optional[int] = None,
                  processes: Optional[int] = None) -> Tuple[MultigridSchedule, Optional[int]]:
    """Schedule and frame interval of a config.

    Raises:
        TypeError, ValueError: It has none, or its clips cannot be counted.
    """
    cap = Settings.from_dict(cfg.multigrid).max_batch_factor
    if cap == AUTO and not clips:
        raise ValueError(
            "multigrid.max_batch_factor = 'auto': needs to know how many "
            'clips there are, and the data set is not here; give --clips')
    return multigrid_schedule(cfg, clips, processes)
