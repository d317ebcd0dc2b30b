"""Put the records of docs/results into the pages, and draw the plots.

    python tools/study/report.py

In README.md and every page of docs/ it fills in the tables between
``<!-- table: NAME -->`` and ``<!-- end -->`` (tools/study/tables.py has the
names), and the figures between ``<!-- figure: EXPRESSION -->`` and
``<!-- end -->`` (tools/study/figures.py has the expressions).
"""

import argparse
import re
from pathlib import Path

from figures import Records, figure
from plots import PLOTS, draw
from tables import TABLES, table

ROOT = Path(__file__).resolve().parents[2]
MARK = re.compile(r'(<!-- (table|figure): (.+?) -->).*?(<!-- end -->)',
                  re.DOTALL)
# Tables that are written by hand and read by tests.
BY_HAND = ('keys', 'accuracy')


def fill(text: str, records: Records, page: str) -> str:
    """Replace the tables and figures of a page.

    Args:
        text (str): The page.
        records (Records): Records of the study.
        page (str): Name of the page, for errors.

    Raises:
        ValueError: A mark names no table or figure, or has no record.
    """

    def replace(match: re.Match) -> str:
        begin, kind, name, end = match.groups()
        if kind == 'table' and name in BY_HAND:
            return match[0]
        try:
            if kind == 'table':
                return f'{begin}\n\n{table(records, name)}\n\n{end}'
            return f'{begin}{figure(records, name)}{end}'
        except (ValueError, KeyError) as error:
            raise ValueError(
                f'{page}: {begin} has no value: {error}') from error

    return MARK.sub(replace, text)


def main() -> None:
    """Fill in the pages and draw the plots."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    docs = ROOT / 'docs'
    records = Records(docs / 'results')
    for page in (ROOT / 'README.md', *sorted(docs.rglob('*.md'))):
        text = page.read_text()
        filled = fill(text, records, page.relative_to(ROOT).as_posix())
        if filled != text:
            page.write_text(filled)
    draw(records.groups, docs)


if __name__ == '__main__':
    main()
