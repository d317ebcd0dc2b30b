"""Every link of every page leads somewhere: to a file, and where it names one to a heading."""

import re

import pytest

from ..conftest import ROOT
from .pages import PAGES, name


def anchors(text):
    """What the headings of a page are called in links, as GitHub does it."""
    found = []
    for heading in re.findall(r'^#+ (.+)$', re.sub(r'^```.*?^```', '', text, flags=re.DOTALL | re.MULTILINE),
                              flags=re.MULTILINE):
        anchor = re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')
        found.append(f'{anchor}-{times}' if (times := found.count(anchor)) else anchor)
    return found


def dead_links(page, text):
    """Links of a page that lead nowhere."""
    links = re.findall(r'\]\(([^)\s]+)\)', re.sub(r'^```.*?^```', '', text, flags=re.DOTALL | re.MULTILINE))
    for link in links:
        if re.match(r'https?:', link):
            continue
        path, _, anchor = link.partition('#')
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text() if path else text)):
            yield link


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_links_lead_somewhere(page):
    assert list(dead_links(page, page.read_text())) == []


def test_the_site_shows_every_page():
    nav = (ROOT / 'mkdocs.yml').read_text().split('\nnav:\n')[1]
    shown = {f'docs/{page}' for page in re.findall(r': (\S+\.md)$', nav, flags=re.MULTILINE)}
    assert shown == {name(page) for page in PAGES if name(page).startswith('docs/')}
