"""Put the records of docs/results into the pages, and draw the plots.

    python tools/study/report.py

In README.md and every page of docs/ it fills in the figures between
``<!-- figure: EXPRESSION -->`` and ``<!-- end -->``, of which
tools/study/figures.py has the expressions, and the tables between
``<!-- table: NAME -->`` and ``<!-- end -->``, which are defined in
tools/study/tables.yaml.
"""

import re
from pathlib import Path
from typing import List, Optional

import yaml
from figures import figure
from plots import draw
from records import Groups, NoRecord, read

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / 'docs'
TABLES = yaml.safe_load(Path(__file__).with_name('tables.yaml').read_text())
# The tables "keys" and "survey" are none of the study.
MARK = re.compile(
    r'(<!-- (table|figure): (?!keys|survey)(.+?) -->).*?(<!-- end -->)',
    re.DOTALL)


def cell(groups: Groups, template: str, runs: List[str]) -> str:
    """Fill in a cell such as ``{top1 A} ({spread A})``.

    Args:
        groups (Groups): Runs of the study.
        template (str): Text with expressions.
        runs (List[str]): What A, B and so on stand for.

    Returns:
        str: The text; nothing where a record is missing.
    """
    names = dict(zip('ABCDE', runs))

    def text(match: re.Match) -> str:
        return figure(
            groups,
            ' '.join(names.get(word, word) for word in match[1].split()))

    try:
        return re.sub('{(.+?)}', text, template)
    except NoRecord:
        return ''


def table(groups: Groups,
          mark: str,
          rows: Optional[List[List[str]]] = None) -> str:
    """Make a table of tables.yaml.

    Args:
        groups (Groups): Runs of the study.
        mark (str): Name of the table; words after it select the rows that
            have them.
        rows (List[List[str]], optional): Labels and runs of each row.
            Defaults to those of the file.

    Raises:
        KeyError: There is no such table.
    """
    name, *words = mark.split()
    labels, columns = TABLES[name]['labels'], TABLES[name]['columns']
    lines = [[*labels, *columns], ['---'] * (len(labels) + len(columns))]
    for row in rows or TABLES[name]['rows']:
        if {*words} <= {*' '.join(row).split()}:
            lines.append(row[:len(labels)] + [
                cell(groups, template, row[len(labels):])
                for template in columns.values()
            ])
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def fill(text: str, groups: Groups, page: str) -> str:
    """Fill in the tables and figures of a page.

    Args:
        text (str): The page.
        groups (Groups): Runs of the study.
        page (str): Name of the page, for errors.

    Raises:
        ValueError: A mark is unknown, or has no record.
    """

    def replace(match: re.Match) -> str:
        begin, kind, name, end = match.groups()
        try:
            if kind == 'table':
                return f'{begin}\n\n{table(groups, name)}\n\n{end}'
            return f'{begin}{figure(groups, name)}{end}'
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(
                f'{page}: {begin} has no value: {error!r}. See '
                'tools/study/figures.py and tables.yaml.') from error

    return MARK.sub(replace, text)


def main() -> None:
    """Fill in the pages and draw the plots."""
    groups = read(DOCS / 'results')
    for page in (ROOT / 'README.md', *sorted(DOCS.rglob('*.md'))):
        page.write_text(
            fill(page.read_text(), groups,
                 page.relative_to(ROOT).as_posix()))
    draw(groups, DOCS)


if __name__ == '__main__':
    main()
