"""Arguments, config and tables that commands share."""

import argparse
import sys
from contextlib import redirect_stdout
from typing import Any, Callable, Iterable, NoReturn, Optional, Sequence, Tuple

from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Table

from ..config import multigrid_schedule
from ..config.auto import count_clips
from ..core.schedule import MultigridSchedule

PIPED_WIDTH = 400  # columns: nothing is cut off


class Parser(argparse.ArgumentParser):
    """Parser that reports a mistake in one line, with exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Exit with a message."""
        self.exit(2, f'{self.prog}: {message}\n')


def above_zero(kind: Callable = int) -> Callable[[str], Any]:
    """Make the type of an argument that is a number above 0."""

    def number(text: str) -> Any:
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f'{text}: must be above 0')
        return value

    return number


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
        help='a multigrid config: a path, or SCOPE::path as in a _base_')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='settings of the config to override')
    if clips:
        parser.add_argument(
            '--clips',
            type=above_zero(),
            metavar='N',
            help='clips in the dataset; default: as '
            'many as it has, where it is here')
        parser.add_argument(
            '--processes',
            type=above_zero(),
            default=1,
            metavar='N',
            help='processes that will train; default: 1')


def load_config(args: argparse.Namespace) -> Config:
    """Load CONFIG with its options, and enter its default scope.

    Raises:
        ValueError: It cannot be read, or has no ``multigrid``.
    """
    with redirect_stdout(sys.stderr):  # the stream of the logger from now on
        MMLogger.get_current_instance().setLevel('WARNING')
    try:
        path = Config._get_cfg_path(args.config, '')[0]  # as of a _base_
        cfg = Config.fromfile(path)
        cfg.merge_from_dict(args.cfg_options)
    except Exception as error:  # a config is code, and may do anything
        raise ValueError(f'{args.config}: cannot be read as a config: '
                         f'{type(error).__name__}: {error}') from error
    if 'multigrid' not in cfg:
        raise ValueError(f'{args.config}: has no multigrid key: it is '
                         'a plain or a resolved config')
    init_default_scope(cfg.get('default_scope') or 'mmaction')
    return cfg


def load_schedule(
    cfg: Config, args: argparse.Namespace
) -> Tuple[MultigridSchedule, Optional[int], Optional[int]]:
    """Compute the schedule of a config.

    Returns:
        tuple: The schedule, the frame interval, and the clips of ``--clips``
        or else of the train dataset; None where its data are missing.

    Raises:
        TypeError, ValueError: A setting is wrong, or clips cannot be counted.
    """
    with redirect_stdout(sys.stderr):  # of a dataset that has to be built
        clips = args.clips or count_clips(cfg.train_dataloader)
    return (*multigrid_schedule(cfg, clips, args.processes), clips)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table.

    Args:
        columns (Sequence[str]): Headings. The first column is aligned to the
            left.
        rows (Iterable[Sequence[str]]): Cells.
    """
    table = Table(box=None, pad_edge=False)
    for column in columns:
        justify = 'right' if table.columns else 'left'
        table.add_column(column, justify=justify, vertical='bottom')
    for row in rows:
        table.add_row(*row)
    Console(
        width=None if sys.stdout.isatty() else PIPED_WIDTH,
        markup=False,
        highlight=False,
        emoji=False).print(table)


def format_time(seconds: float) -> str:
    """Write a duration in seconds, minutes or hours, by its size."""
    unit, size = 's', 1
    for name, length in (('min', 60), ('h', 3600)):
        if seconds >= 2 * length:
            unit, size = name, length
    return f'{seconds / size:.{1 if seconds < 100 * size else 0}f} {unit}'
