"""The pages that people read, and what is in them."""

import re
import shlex

from ..conftest import ROOT

DOCS = ROOT / 'docs'
PAGES = [
    ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', ROOT / 'CHANGELOG.md',
    ROOT / 'tools' / 'README.md', *sorted(DOCS.rglob('*.md'))
]


def name(page):
    """Path of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(text, language):
    """Blocks of code in a language, those in lists too."""
    return re.findall(
        rf'^ *```{language}\n(.*?)^ *```',
        text,
        flags=re.DOTALL | re.MULTILINE)


def table(page, title):
    """Cells of the rows below the heading of a table that a comment names."""
    text = page.read_text().split(f'<!-- table: {title} -->\n')[1].split(
        '<!-- end -->')[0]
    return [[cell.strip() for cell in line.strip('|').split('|')]
            for line in text.strip().splitlines()[2:]]


def commands(page):
    """The lines of a page's shell blocks that do something, those that go on
    in the next joined."""
    lines = ''.join(blocks(page.read_text(),
                           'bash')).replace('\\\n', ' ').splitlines()
    return [
        line.strip() for line in lines
        if shlex.split(line, comments=True) and not line.startswith('export ')
    ]
