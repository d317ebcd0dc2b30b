"""Tables for people, and for what comes behind a pipe."""

import sys
from typing import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

PIPED_WIDTH = 400  # columns: nothing is cut off


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = '', left: Sequence[str] = ()) -> None:
    """Print a table; without lines and as wide as it has to be where no terminal is.

    Args:
        columns: Headings.
        rows: Texts of the cells; an empty row draws a line.
        title: Above the table.
        left: Columns that are aligned to the left; the others are numbers.
    """
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else PIPED_WIDTH, markup=False, highlight=False, emoji=False)
    table = Table(box=box.HEAVY_HEAD if terminal else None, pad_edge=terminal)
    for column in columns:
        table.add_column(column, justify='left' if column in left else 'right')
    for row in rows:
        if row:
            table.add_row(*row)
        else:
            table.add_section()
    if title:
        console.print(title)
    console.print(table)
