"""Find commands, code and tables in the pages."""

import re
import shlex

from ..conftest import ROOT

DOCS = ROOT / 'docs'
PAGES = [
    ROOT / 'README.md', ROOT / 'CHANGELOG.md', ROOT / 'tools' / 'README.md',
    *sorted(DOCS.rglob('*.md'))
]


def name(page):
    """Return the path of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(text, language):
    """Return the blocks of code in a language."""
    return re.findall(
        rf'^ *```{language}\n(.*?)^ *```',
        text,
        flags=re.DOTALL | re.MULTILINE)


def table(page, title):
    """Return the cells of a table that a comment names."""
    text = page.read_text().split(f'<!-- table: {title} -->\n')[1].split(
        '<!-- end -->')[0]
    return [[cell.strip() for cell in line.strip('|').split('|')]
            for line in text.strip().splitlines()[2:]]


def section(page, first, last=None):
    """Return the text from one heading to the next, or to a later one."""
    text = (DOCS / page).read_text().partition(f'\n## {first}')[2]
    assert text
    return text.partition(f'\n## {last or ""}')[0]


TUTORIAL = section('get_started.md', '1. ', 'New-style configs')
NEW_STYLE = section('get_started.md', 'New-style configs')
FINE_TUNING = section('schedule.md', 'Fine-tuning')


def commands(text):
    """Return the commands in the shell blocks of a text.

    Lines that continue in the next one are joined.
    """
    lines = ''.join(blocks(text, 'bash')).replace('\\\n', ' ').splitlines()
    return [
        line.strip() for line in lines
        if shlex.split(line, comments=True) and not line.startswith('export ')
    ]
