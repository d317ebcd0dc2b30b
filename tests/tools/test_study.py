"""The study: what its variants change, what a run writes down, and what the
report makes of it."""

import json
import re

import pytest

from ..conftest import ROOT
from ..small import load_tool


@pytest.fixture
def variants(monkeypatch):
    from mmaction_multigrid.core.transform_rules import RULES
    saved = dict(RULES)
    yield load_tool('study/variants')
    RULES.clear()
    RULES.update(saved)


FULL = [(4, 16, 24), (2, 16, 34), (1, 16, 48)]


@pytest.mark.parametrize(('variant', 'points', 'last'), [
    ('multigrid', {
        0: 8.,
        2: 4.,
        4: 2.,
        5: 0.1
    }, (1, FULL)),
    ('long', {
        0: 8.,
        3: 4.,
        4: 2.,
        5: 0.1
    }, (1, FULL[2:])),
    ('short', {
        0: 1.,
        4: 0.1
    }, (2, FULL)),
    ('resize', {
        0: 1.,
        1: 1.,
        2: 1.,
        3: 0.1
    }, (1, FULL[2:])),
    ('no-lr-scaling', {
        0: 1.,
        2: 1.,
        4: 1.,
        5: 0.1
    }, (1, FULL)),
    ('epochs-1', {
        0: 8.,
        2: 2.,
        3: 0.1
    }, (1, FULL)),
])
def test_schedules_of_the_variants(variants, variant, points, last):
    cfg, _ = variants.build('slowfast', 'digits', variant, {})
    assert dict(cfg.param_scheduler[0].points) == pytest.approx(points)
    stage = cfg.train_dataloader.batch_sampler.stages[-1]
    assert (stage['epochs'], list(map(tuple, stage['shapes']))) == last


def test_a_baseline_that_is_stopped(variants, monkeypatch):
    monkeypatch.setattr(variants, 'count_clips', lambda cfg: 5000)
    cfg, _ = variants.build('slowfast', 'digits', 'baseline-short', {})
    # Epochs of 58, 58, 97, 97, 175 and 265 iterations: clips of 128 + 64 + 64,
    # 64 + 32 + 32 and so on.
    assert cfg.train_cfg.to_dict() == dict(
        type='IterBasedTrainLoop', max_iters=750, val_interval=188)
    warmup, steps = cfg.param_scheduler
    assert (warmup.end, steps.milestones, steps.end) == (94, [562], 750)


def test_conditions(variants):
    cfg, _ = variants.build(
        'i3d', 'digits', 'baseline',
        dict(clips=1250., epochs=8., lr=0.3, stride=32., batch=16.))
    assert cfg.train_dataloader.dataset.indices == 1250
    assert cfg.train_dataloader.batch_size == 16
    assert (cfg.train_cfg.max_epochs,
            cfg.param_scheduler[-1].milestones) == (8, [6])
    assert cfg.optim_wrapper.optimizer.lr == 0.6
    assert cfg.model.backbone.spatial_strides == (2, 2, 2)
    for name, conditions in (('baseline', dict(depth=3.)), ('none', {})):
        with pytest.raises(ValueError, match='allowed are'):
            variants.build('i3d', 'digits', name, conditions)


def test_a_run_and_its_resume(digits, tmp_path, monkeypatch):
    study = load_tool('study/run')
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'moving_digits16').symlink_to(digits)
    monkeypatch.chdir(tmp_path)
    job = dict(
        model='slowfast',
        data='digits',
        variant='baseline',
        seed=0,
        conditions=dict(epochs=2.))
    path = tmp_path / 'run.json'
    study.train(job, path, tmp_path / 'work')
    record = json.loads(path.read_text())
    points = record['points']
    assert record['finished']
    assert [point['iterations'] for point in points] == [3, 6]
    for point in points:
        assert point['seconds'] == pytest.approx(
            sum(point[f'{key}_seconds']
                for key in ('data', 'compute', 'other')),
            abs=0.05)
    # Cut off behind the first epoch: its point stays, the others go.
    record.update(
        finished=False, points=[points[0],
                                dict(points[1], iterations=7)])
    path.write_text(json.dumps(record))
    study.train(job, path, tmp_path / 'work')
    again = json.loads(path.read_text())
    assert again['finished'] and again['points'] == points[:1]


def record_of(variant,
              seed,
              top1,
              seconds,
              iterations,
              data='digits',
              finished=True,
              **conditions):
    point = dict(
        epoch=4,
        iterations=iterations,
        top1=top1,
        seconds=seconds,
        data_seconds=1.,
        compute_seconds=seconds - 1,
        other_seconds=0.,
        cpu_seconds=seconds / 2)
    return dict(
        model='i3d',
        data=data,
        variant=variant,
        seed=seed,
        finished=finished,
        conditions=conditions,
        load_average=[2., 4.],
        points=[dict(point, top1=top1 / 2, seconds=seconds / 2), point])


def test_the_report(tmp_path):
    # Of seed 1 there is no multigrid run: its time, at another load, counts
    # for nothing beside one of seed 0.
    for number, record in enumerate([
            record_of('baseline', 0, 90., 400., 1000),
            record_of('baseline', 1, 92., 800., 1000),
            record_of('multigrid', 0, 91., 100., 250),
            record_of('long', 0, 99., 1., 1, finished=False),
            record_of('baseline', 0, 80., 40., 100, clips=500),
            record_of('multigrid', 0, 60., 10., 25, clips=500),
            record_of('baseline', 0, 80., 400., 1000, 'ordered'),
            record_of('multigrid', 0, 70., 100., 1, 'ordered'),
            record_of('auto', 0, 79.5, 100., 1, 'ordered'),
    ]):
        (tmp_path / f'{number}.json').write_text(json.dumps(record))
    report = load_tool('study/report')
    groups = report.read(tmp_path)
    for name, rows in {
            'models i3d digits': [
                'baseline | 2 | 1000 | 91.0 (90.0 to 92.0) | 3.0 | 600 (400 '
                'to 800) | 1 | 599 | 300 | 600 | 1.00x | 1.00x | 1.00x',
                'multigrid (default) | 1 | 250 | 91.0 | 3.0 | 100 | 1 | 99 | '
                '50 | 100 | 4.00x | 4.00x | 4.00x'
            ],
            'boundary i3d digits': [
                '8 | 500 | 1, 1 | 100 | 25 | 80.0 | 60.0 |  | -20.0',
                '8 | 5000 | 2, 1 | 1000 | 250 | 91.0 (90.0 to 92.0) | 91.0 |  '
                '| +0.0'
            ],
            'summary digits': [
                'I3D | 2, 1 | 91.0 | 91.0 |  | 4.00x | 4.00x | 4.00x',
            ],
            'goals ordered i3d': [
                'I3D | baseline | 1 | 80.0 | 200 | ',
                ' | multigrid (default) | 1 | 70.0 | 9.5 points short | ',
                " | max_batch_factor 'auto' | 1 | 79.5 | 50 | 4.00x"
            ]
    }.items():
        text = report.fill(f'<!-- table: {name} -->\nold\n<!-- end -->',
                           groups)
        assert re.findall(r'^\| (.*) \|$', text, re.M)[2:] == rows


def test_the_tables_are_those_of_the_records():
    report = load_tool('study/report')
    groups = report.read(ROOT / 'docs' / 'results' / 'runs')
    for page in (ROOT / 'README.md', ROOT / 'docs' / 'results' / 'README.md'):
        assert report.fill(page.read_text(), groups) == page.read_text()
