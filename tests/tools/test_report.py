"""Compare figures, tables and plots of the pages with the records."""

import json
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
    return report.read(ROOT / 'docs' / 'results')


@pytest.mark.parametrize(
    'page', PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_show_the_records(report, records, page):
    text = page.read_text()
    assert report.fill(text, records, page.name) == text


def test_a_changed_digit_is_found(report, records):
    text = report.fill(
        '<!-- figure: seconds utd slowfast multigrid cpu --><!-- end --> '
        's.\n<!-- table: answer utd -->\n<!-- end -->\n', records, 'page.md')
    digits = [match.start() for match in re.finditer(r'\d', text)]
    assert len(digits) > 50
    for i in digits:
        changed = text[:i] + str((int(text[i]) + 1) % 10) + text[i + 1:]
        assert report.fill(changed, records, 'page.md') == text


@pytest.mark.parametrize(('mark', 'reason'), [
    ('figure: fastest utd', 'not enough values'),
    ('figure: top1 utd slowfast nothing', 'no record'),
    ('figure: difference utd7 slowfast few', 'no record'),
    ('figure: top1 utd * multigrid', 'several runs'),
    ('figure: gpu i3d_r50 fp32 price', 'price'),
    ('table: nothing', 'nothing'),
])
def test_a_mark_without_a_value(report, records, mark, reason):
    with pytest.raises(
            ValueError, match=f'page.md: <!-- {re.escape(mark)}.*'
            f'{reason}'):
        report.fill(f'<!-- {mark} -->3<!-- end -->', records, 'page.md')


def record_of(variant, seed, top1, seconds, iterations, data='utd', **more):
    """Return a record with two validations, one of them halfway."""
    conditions = {
        key: more.pop(key)
        for key in ('clips', 'budget') if key in more
    }
    points = [
        dict(
            top1=top1 * share,
            iterations=iterations * share,
            seconds=seconds * share,
            loading_seconds=1.,
            cpu_seconds=seconds * share / 2) for share in (0.5, 1)
    ]
    return dict(
        data=data,
        model='i3d',
        variant=variant,
        conditions=conditions,
        seed=seed,
        points=points,
        **more)


@pytest.fixture
def by_hand(report, tmp_path):
    runs = [
        record_of('baseline', 0, 90., 400., 1000),
        record_of('baseline', 1, 92., 800., 1000),
        record_of('baseline', 0, 45., 100., 250, budget=0.25),
        record_of('store', 0, 91., 100., 250),
        record_of('long', 0, 90., 150., 300),
        record_of('baseline', 0, 80., 40., 100, clips=500),
        record_of('store', 0, 60., 10., 25, clips=500),
    ]
    # Loading 32 clips takes a second, longer than computing.
    steps = [
        dict(clips=32, frames=4, crop=8, seconds=0.5, loaded_per_second=32),
        dict(clips=8, frames=8, crop=16, seconds=0.5, loaded_per_second=32)
    ]
    gpu = dict(
        data='gpu',
        model='toy',
        variant='fp32',
        conditions={},
        seed=0,
        base_epochs=4,
        stages=[[4, [[32, 4, 8]]], [4, [[8, 8, 16]]]],
        steps=steps)
    for name, found in (('utd', runs), ('gpu', [gpu])):
        (tmp_path / f'{name}.jsonl').write_text(''.join(
            json.dumps(record) + '\n' for record in found))
    return report.read(tmp_path)


@pytest.mark.parametrize(('expression', 'text'), [
    ('top1 utd i3d baseline', '91.0'),
    ('spread utd i3d store', 'one seed'),
    ('iterations utd i3d baseline', '1,000'),
    ('seconds utd i3d baseline cpu', '300'),
    ('seconds utd i3d baseline cpu seed=1', '400'),
    ('speedup utd i3d store cpu', '4.0x'),
    ('speedup utd i3d store wall', '4.0x'),
    ('seconds utd i3d store loading', '1'),
    ('speedup utd i3d store iterations', '4.0x'),
    ('share utd i3d store cpu', '0.25'),
    ('goal utd i3d store', '6.0x'),
    ('goal utd i3d long', 'not reached'),
    ('difference utd i3d store', '+0.0'),
    ('difference utd i3d store clips=500', '-20.0'),
    ('short utd i3d store clips=500', '20.0'),
    ('difference utd i3d baseline budget=0.25', '-46.0'),
    ('range top1 utd i3d *', '90.0 to 91.0'),
    ('range top1 * i3d* store', '91.0'),
    ('gpu toy fp32 baseline', '2.1'),
    ('gpu toy fp32 multigrid', '3.1'),
    ('gpu toy fp32 speedup', '0.7x'),
])
def test_expressions_by_hand(report, by_hand, expression, text):
    assert report.figure(by_hand, expression) == text


def test_the_plots(report, records, tmp_path):
    (tmp_path / 'results').mkdir()
    report.draw(records, tmp_path)
    assert {
        path.relative_to(tmp_path).as_posix()
        for path in tmp_path.rglob('*.png')
    } == {
        'schedule.png',
        *(f'results/{data}.png'
          for data in ('utd', 'noisy', 'ordered', 'grid', 'utd-frames', 'ava'))
    }
