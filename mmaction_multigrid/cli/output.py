"""Tables for people, and for what comes behind a pipe."""

import sys
import textwrap
from typing import Iterable, Sequence

from rich.console import Console
from rich.table import Table

PIPED_WIDTH = 400  # columns: nothing is cut off


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]],
                title: str = '', left: Sequence[str] = ()) -> None:
    """Print a table, no wider than its cells make it.

    Args:
        columns: Headings.
        rows: Texts of the cells; an empty row is an empty line.
        title: Above the table.
        left: Columns that are aligned to the left; others are numbers.
    """
    rows = list(rows)
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH,
                      markup=False, highlight=False, emoji=False)
    table = Table(box=None, pad_edge=False)
    for i, column in enumerate(columns):
        cells = [len(row[i]) for row in rows if row]
        words = [len(word) for word in column.split()]
        table.add_column(
            textwrap.fill(column, max([1, *cells, *words])),
            justify='left' if column in left else 'right', vertical='bottom')
    for row in rows:
        table.add_row(*row)
    if title:
        console.print(title)
    console.print(table)
