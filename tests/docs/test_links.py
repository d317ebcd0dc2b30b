"""Check the links of the pages, and the table of tools."""

import re

import pytest

from ..conftest import ROOT
from .pages import PAGES, name


def without_code(text):
    return re.sub(r'^```.*?^```', '', text, flags=re.DOTALL | re.MULTILINE)


def anchors(text):
    """Return the anchors of the headings of a page on GitHub."""
    found = []
    for heading in re.findall(r'^#+ (.+)$', without_code(text), re.MULTILINE):
        anchor = re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')
        times = found.count(anchor)
        found.append(f'{anchor}-{times}' if times else anchor)
    return found


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_links_lead_somewhere(page):
    text = page.read_text()
    for link in re.findall(r'\]\((?!https?:)([^)\s]+)\)', without_code(text)):
        path, _, anchor = link.partition('#')
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_the_site_shows_every_page():
    nav = (ROOT / 'mkdocs.yml').read_text().split('\nnav:\n')[1]
    shown = set(re.findall(r': (\S+\.md)$', nav, flags=re.MULTILINE))
    # README.md is the first page: tools/maintain/site.py.
    assert {f'docs/{page}'
            for page in shown - {'index.md'}} == {
                name(page)
                for page in PAGES if name(page).startswith('docs/')
            }


def test_the_table_has_every_tool():
    tools = ROOT / 'tools'
    rows = re.findall(r'^\| (`.*?) \|', (tools / 'README.md').read_text(),
                      re.M)
    assert set(re.findall('`([^`]+)`', ' '.join(rows))) == {
        str(path.relative_to(tools))
        for kind in ('*.py', '*.sh') for path in tools.rglob(kind)
    }
