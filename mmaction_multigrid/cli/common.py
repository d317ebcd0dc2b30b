"""Arguments, config and tables that commands share."""

import argparse
import sys
from contextlib import redirect_stdout
from datetime import timedelta
from typing import Iterable, Optional, Sequence, Tuple

from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Table

from ..config import multigrid_schedule
from ..config.auto import count_clips
from ..core.schedule import MultigridSchedule

# Columns of output that is no terminal, where rich would cut cells off.
PIPED_WIDTH = 400


def above_zero(text: str) -> int:
    """Parse an integer above 0."""
    value = int(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f'{text}: must be above 0')
    return value


def add_config(parser: argparse.ArgumentParser, clips: bool = True) -> None:
    """Add CONFIG and its options.

    Args:
        parser (ArgumentParser): The parser of the command.
        clips (bool): Whether to add ``--clips`` and ``--processes``. Defaults
            to True.
    """
    parser.add_argument(
        'config',
        metavar='CONFIG',
        help='a config: a path, or SCOPE::path as in a _base_')
    add_cfg_options(parser)
    if clips:
        parser.add_argument(
            '--clips',
            type=above_zero,
            metavar='N',
            help='clips in the dataset; default: counted, if it is here')
        parser.add_argument(
            '--processes',
            type=above_zero,
            default=1,
            metavar='N',
            help='processes that will train; default: 1')


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, as MMAction2's own tools have it."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='settings of the config to override')


def load_config(args: argparse.Namespace, plain: bool = False) -> Config:
    """Load CONFIG with its options, and enter its default scope.

    Args:
        args (Namespace): The arguments of :func:`add_config`.
        plain (bool): Whether a config without ``multigrid`` is allowed.
            Defaults to False.

    Raises:
        ValueError: It cannot be read, or has no ``multigrid``.
    """
    # A logger keeps the stream that it is created with: stdout is for results.
    with redirect_stdout(sys.stderr):
        MMLogger.get_current_instance().setLevel('WARNING')
    try:
        # The method that resolves SCOPE::path in a _base_.
        path = Config._get_cfg_path(args.config, '')[0]
        cfg = Config.fromfile(path)
        cfg.merge_from_dict(args.cfg_options)
    except Exception as error:  # a config is code: any type of error
        raise ValueError(f'{args.config}: cannot be read as a config: '
                         f'{type(error).__name__}: {error}') from error
    if 'multigrid' not in cfg and not plain:
        raise ValueError(f'{args.config}: has no multigrid key: it is '
                         'a plain or a resolved config')
    if not cfg.get('train_dataloader'):
        raise ValueError(f'{args.config}: has no train_dataloader')
    init_default_scope(cfg.get('default_scope') or 'mmaction')
    return cfg


def load_schedule(
    cfg: Config, args: argparse.Namespace
) -> Tuple[MultigridSchedule, Optional[int], Optional[int]]:
    """Compute the schedule of a config.

    Returns:
        tuple: The schedule, the frame interval or None, and the number of
        clips: that of ``--clips``, or else that of the train dataset, or None
        if its list is missing.

    Raises:
        TypeError, ValueError: A setting is wrong, or clips cannot be counted.
    """
    with redirect_stdout(sys.stderr):  # datasets may print while they load
        clips = args.clips or count_clips(cfg.train_dataloader)
    return (*multigrid_schedule(cfg, clips, args.processes), clips)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table.

    Args:
        columns (Sequence[str]): Headings. The first column is aligned to the
            left, all others to the right.
        rows (Iterable[Sequence[str]]): Cells.
    """
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(
            column,
            justify='right' if table.columns else 'left',
            vertical='bottom')
    for row in rows:
        table.add_row(*row)
    Console(
        width=None if sys.stdout.isatty() else PIPED_WIDTH,
        markup=False,
        highlight=False,
        # Names may look like markup or emoji, such as [b] or :cat:.
        emoji=False).print(table)


def format_time(seconds: float) -> str:
    """Format a duration as mmengine's logs do: hours, minutes, seconds."""
    return str(timedelta(seconds=round(seconds)))
