"""The study: what its variants change, what a run writes down, and what the report makes of it."""

import json

import pytest

from ..conftest import ROOT
from ..small import load_tool


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))


@pytest.fixture
def variants(tools):
    from mmaction_multigrid.core.transform_rules import RULES
    saved = dict(RULES)
    yield load_tool('study/variants')
    RULES.clear()
    RULES.update(saved)


def lr_of(cfg):
    return [tuple(point) for point in cfg.param_scheduler[0].points]


def sampler_of(cfg):
    return [(stage['epochs'], [tuple(shape) for shape in stage['shapes']])
            for stage in cfg.train_dataloader.batch_sampler.stages]


FULL = [(4, 16, 24), (2, 16, 34), (1, 16, 48)]


@pytest.mark.parametrize(('variant', 'points', 'last'), [
    ('multigrid', [(0, 8.), (2, 4.), (4, 2.), (5, 0.1)], (1, FULL)),
    ('long', [(0, 8.), (3, 4.), (4, 2.), (5, 0.1)], (1, [(1, 16, 48)])),
    ('short', [(0, 1.), (4, 0.1)], (2, FULL)),
    ('resize', [(0, 1.), (1, 1.), (2, 1.), (3, 0.1)], (1, [(1, 16, 48)])),
    ('no-lr-scaling', [(0, 1.), (2, 1.), (4, 1.), (5, 0.1)], (1, FULL)),
    ('epochs-1', [(0, 8.), (2, 2.), (3, 0.1)], (1, FULL)),
])
def test_schedules_of_the_variants(variants, variant, points, last):
    cfg, _ = variants.build('slowfast', 'digits', variant, {})
    assert [epoch for epoch, _ in lr_of(cfg)] == [epoch for epoch, _ in points]
    assert [factor for _, factor in lr_of(cfg)] == pytest.approx([factor for _, factor in points])
    assert sampler_of(cfg)[-1] == last
    assert cfg.train_cfg.max_epochs == sum(epochs for epochs, _ in sampler_of(cfg))


def test_a_baseline_that_is_stopped(variants, monkeypatch):
    monkeypatch.setattr(variants, 'count_clips', lambda cfg: 5000)
    cfg, _ = variants.build('slowfast', 'digits', 'baseline-short', {})
    # Epochs of 58, 58, 97, 97, 175 and 265 iterations: clips of 128 + 64 + 64, 64 + 32 + 32 and so on.
    assert cfg.train_cfg.to_dict() == dict(type='IterBasedTrainLoop', max_iters=750, val_interval=188)
    warmup, steps = cfg.param_scheduler
    assert (warmup.end, steps.milestones, steps.end) == (94, [562], 750)


def test_conditions(variants):
    cfg, _ = variants.build('i3d', 'digits', 'baseline', dict(clips=1250., epochs=8., lr=0.3, stride=32.))
    assert cfg.train_dataloader.dataset.indices == 1250
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[-1].milestones) == (8, [6])
    assert cfg.optim_wrapper.optimizer.lr == 0.3
    assert (cfg.model.backbone.pool1_stride_s, cfg.model.backbone.spatial_strides) == (2, (2, 2, 2))
    with pytest.raises(ValueError, match="condition 'depth'"):
        variants.build('i3d', 'digits', 'baseline', dict(depth=3.))
    with pytest.raises(ValueError, match="variant 'none'"):
        variants.build('i3d', 'digits', 'none', {})


def test_a_run_and_its_resume(tools, digits, tmp_path, monkeypatch):
    study = load_tool('study/run')
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'moving_digits16').symlink_to(digits)
    monkeypatch.chdir(tmp_path)
    job = dict(model='slowfast', data='digits', variant='baseline', conditions=dict(epochs=2.), seed=0)
    path = tmp_path / 'run.json'
    study.train(job, path, tmp_path / 'work')
    record = json.loads(path.read_text())
    assert record['finished']
    found = [(point['epoch'], point['iterations'], point['clips']) for point in record['points']]
    assert found == [(1, 3, 24), (2, 6, 48)]
    for point in record['points']:
        parts = point['data_seconds'] + point['compute_seconds'] + point['other_seconds']
        assert point['seconds'] == pytest.approx(parts, abs=0.05)
        assert 0 <= point['top1'] <= 100
    # Cut off behind the first epoch: its point stays, and the clocks go on from there.
    record.update(finished=False, points=[record['points'][0], dict(record['points'][1], iterations=7)])
    path.write_text(json.dumps(record))
    study.train(job, path, tmp_path / 'work')
    again = json.loads(path.read_text())
    assert [point['iterations'] for point in again['points']] == [3]
    assert again['finished']


def record_of(variant, seed, top1, seconds, iterations, conditions=None, finished=True):
    point = dict(epoch=4, iterations=iterations, clips=8 * iterations, top1=top1, seconds=seconds, data_seconds=1.,
                 compute_seconds=seconds - 1, other_seconds=0., cpu_seconds=seconds / 2)
    return dict(model='i3d', data='digits', variant=variant, seed=seed, conditions=conditions or {}, finished=finished,
                load_average=[2., 4.],
                points=[dict(point, top1=top1 / 2, seconds=seconds / 2), point])


def test_the_report(tools, tmp_path):
    report = load_tool('study/report')
    # Of seed 1 there is no multigrid run: its time, at another load, counts for nothing beside one of seed 0.
    records = [record_of('baseline', 0, 90., 400., 1000), record_of('baseline', 1, 92., 800., 1000),
               record_of('multigrid', 0, 91., 100., 250), record_of('long', 0, 99., 1., 1, finished=False),
               record_of('baseline', 0, 80., 40., 100, dict(clips=500)),
               record_of('multigrid', 0, 60., 10., 25, dict(clips=500))]
    for number, record in enumerate(records):
        (tmp_path / f'{number}.json').write_text(json.dumps(record))
    groups = report.read(tmp_path)
    lines = report.variant_table(groups, 'i3d', 'digits', report.PEERS).splitlines()
    assert lines[2].startswith(
        '| baseline | 2 | 1000 | 91.0 (90.0 to 92.0) | 3.0 | 600 (400 to 800) | 1 | 599 | 300 | 600 |')
    assert lines[3] == (
        '| multigrid (default) | 1 | 250 | 91.0 | 3.0 | 100 | 1 | 99 | 50 | 100 | 4.00x | 4.00x | 4.00x |')
    assert len(lines) == 4  # what has no finished run is left out
    assert report.boundary_table(groups, 'i3d', 'digits').splitlines()[2] == (
        '| 8 | 500 | 1, 1 | 100 | 25 | 80.0 | 60.0 |  | -20.0 |')
    assert report.table(groups, 'summary digits').splitlines()[2:] == [
        '| I3D | 2, 1 | 91.0 | 91.0 |  | 4.00x | 4.00x | 4.00x |']
    assert report.table(groups, 'models i3d digits clips=500').splitlines()[3].startswith(
        '| multigrid (default) | 1 | 25 | 60.0 |')
    records = [record_of('baseline', 0, 80., 400., 1000), record_of('baseline', 0, 60., 200., 500, dict(budget=0.5))]
    for number, record in enumerate(records):
        (tmp_path / f'{number}.json').write_text(json.dumps(dict(record, data='ordered')))
    assert report.table(report.read(tmp_path), 'goals ordered i3d').splitlines()[2:] == [
        '| I3D | baseline | 1 | 80.0 | 200 |  |']
    (tmp_path / '2.json').write_text(json.dumps(dict(record_of('auto', 0, 79.5, 100., 1), data='ordered')))
    (tmp_path / '3.json').write_text(json.dumps(dict(record_of('multigrid', 0, 70., 100., 1), data='ordered')))
    assert report.table(report.read(tmp_path), 'goals ordered i3d').splitlines()[3:] == [
        '|  | multigrid (default) | 1 | 70.0 | 9.5 points short |  |',
        "|  | max_batch_factor 'auto' | 1 | 79.5 | 50 | 4.00x |"]
    text = 'before <!-- table: x y z -->\nold\n<!-- end --> after'
    assert report.fill(text, lambda name: f'new {name}') == (
        'before <!-- table: x y z -->\n\nnew x y z\n\n<!-- end --> after')
