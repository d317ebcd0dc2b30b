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
from ..config.auto import count_clips
from ..core.schedule import MultigridSchedule

NUMBERS = ('batch_size', 'clips', 'processes', 'hours')


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the argument CONFIG and ``--cfg-options``."""
    parser.add_argument('config', metavar='CONFIG', help='a multigrid config: '
                        'a path, or SCOPE::path as in a _base_')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction,
                        metavar='KEY=VALUE',
                        help='settings of the config to override')


def add_clips(parser: argparse.ArgumentParser) -> None:
    """Add ``--clips`` and ``--processes``."""
    parser.add_argument('--clips', type=int, metavar='N', help='clips in the '
                        'data set; default: as many as it has, where it is '
                        'here')
    parser.add_argument('--processes', type=int, default=1, metavar='N',
                        help='processes that will train; default: 1')


def load_config(args: argparse.Namespace) -> Config:
    """The config with the command line's settings, and its default scope.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It cannot be read, or has no ``multigrid``; or a number of
            the command line is not above 0.
    """
    for name in NUMBERS:
        value = getattr(args, name, None)
        if value is not None and value <= 0:
            raise ValueError(f'--{name.replace("_", "-")} {value:g}: '
                             'must be above 0')
    with redirect_stdout(sys.stderr):  # where its warnings are in nobody's way
        MMLogger.get_current_instance().setLevel('WARNING')
    name = args.config
    if '::' not in name and not Path(name).is_file():
        raise FileNotFoundError(f'{name}: there is no such config')
    try:
        cfg = Config.fromfile(Config._get_cfg_path(name, '')[0])  # as a _base_
        if args.cfg_options:
            cfg.merge_from_dict(args.cfg_options)
    except Exception as error:  # a config is code, and may do anything
        raise ValueError(f'{name}: cannot be read as a config: '
                         f'{type(error).__name__}: {error}') from error
    if 'multigrid' not in cfg:
        raise ValueError(f'{name}: has no multigrid key: it is a plain or a '
                         'resolved config')
    init_default_scope(cfg.get('default_scope') or 'mmaction')
    return cfg


def load_schedule(cfg: Config, args: argparse.Namespace) -> Tuple[
        MultigridSchedule, Optional[int], Optional[int], Optional[int]]:
    """Schedule and frame interval of a config.

    Returns:
        tuple: The schedule; the frame interval; clips in the train data set,
        as the command line says or as many as it has, and those of one
        process; None where the data set is not here.

    Raises:
        TypeError, ValueError: It has none, or its clips cannot be counted.
    """
    with redirect_stdout(sys.stderr):  # of a data set that has to be built
        clips = args.clips or count_clips(cfg.train_dataloader)
    schedule, frame_interval = multigrid_schedule(cfg, clips, args.processes)
    share = clips and max(1, clips // args.processes)
    return schedule, frame_interval, clips, share
