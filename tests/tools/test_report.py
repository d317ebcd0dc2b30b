"""The figures and tables of README and docs are those of the records."""

import re

import pytest

from ..conftest import ROOT
from ..small import load_tool

PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]


@pytest.fixture(scope='module')
def report():
    return load_tool('study/report')


@pytest.fixture(scope='module')
def records(report):
    return report.Records(ROOT / 'docs' / 'results')


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_pages_show_the_records(report, records, page):
    text = page.read_text()
    assert report.fill(text, records, page.name) == text


def test_a_changed_digit_is_found(report, records):
    text = report.fill(
        'It takes <!-- figure: seconds utd slowfast store cpu --><!-- end --> '
        's.\n<!-- table: answer utd -->\n<!-- end -->\n', records, 'page.md')
    assert report.fill(text, records, 'page.md') == text
    digits = [match.start() for match in re.finditer(r'\d', text)]
    for i in digits:
        changed = text[:i] + str((int(text[i]) + 1) % 10) + text[i + 1:]
        assert report.fill(changed, records, 'page.md') == text


@pytest.mark.parametrize(('mark', 'reason'), [
    ('figure: fastest utd', 'is unknown'),
    ('figure: top1 utd', 'takes DATA MODEL VARIANT'),
    ('figure: top1 utd slowfast nothing', 'no record'),
    ('figure: speedup utd slowfast store hours', 'is not a cost'),
    ('figure: speedup utd slowfast store wall', 'do not compare'),
    ('figure: goal ordered i3d multigrid', 'not reached'),
    ('figure: top1 utd * store', 'several runs'),
    ('table: nothing', 'tables are'),
])
def test_a_mark_without_a_value(report, records, mark, reason):
    with pytest.raises(ValueError, match=f'page.md: <!-- {re.escape(mark)}.*'
                       f'{reason}'):
        report.fill(f'<!-- {mark} -->3<!-- end -->', records, 'page.md')
