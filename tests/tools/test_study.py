"""Build the variants of the study, and record a run."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from mmaction.registry import TRANSFORMS
from ..small import load_tool


@pytest.fixture
def configs(monkeypatch):
    from mmaction_multigrid.core.transform_rules import RULES
    saved = dict(RULES)
    yield load_tool('study/study_configs')
    RULES.clear()
    RULES.update(saved)


FULL = [(4, 16, 24), (2, 16, 34), (1, 16, 48)]


@pytest.mark.parametrize(('variant', 'points', 'last'), [
    ('no-lr-scaling', [(0, 1.), (2, 1.), (4, 1.), (5, 0.1)], (1, FULL)),
    ('few', [(0, 2.), (2, 2.), (3, 0.1)], (2, FULL[2:])),
])
def test_schedules_of_the_variants(configs, variant, points, last):
    cfg, _ = configs.build('slowfast', 'digits', variant, {})
    assert dict(cfg.param_scheduler[0].points) == pytest.approx(dict(points))
    stage = cfg.train_dataloader.batch_sampler.stages[-1]
    assert (stage['epochs'], list(map(tuple, stage['shapes']))) == last


def test_a_baseline_with_a_budget(configs, monkeypatch):
    monkeypatch.setattr(configs, 'count_clips', lambda dataset: 5000)
    cfg, _ = configs.build('slowfast', 'digits', 'baseline', dict(budget=.3))
    assert cfg.train_cfg.to_dict() == dict(
        type='IterBasedTrainLoop', max_iters=750, val_interval=188)
    warmup, steps = cfg.param_scheduler
    assert (warmup.end, steps.milestones, steps.end) == (94, [562], 750)


def test_conditions(configs, monkeypatch):
    monkeypatch.setattr(configs, 'count_clips', lambda dataset: 5000)
    cfg, _ = configs.build('i3d', 'digits', 'baseline',
                           dict(epochs=8., lr=0.3))
    assert (cfg.train_cfg.max_epochs,
            cfg.param_scheduler[-1].milestones) == (8, [6])
    assert cfg.optim_wrapper.optimizer.lr == 0.3


@pytest.mark.parametrize(('variant', 'conditions', 'reason'), [
    ('baseline', dict(depth=3.), "condition 'depth': allowed are"),
    ('none', {}, "variant 'none': allowed are"),
    ('few', dict(budget=0.5), "'budget' with variant 'few': only baselines"),
])
def test_what_is_refused(configs, variant, conditions, reason):
    with pytest.raises(ValueError, match=reason):
        configs.build('i3d', 'digits', variant, conditions)


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
    stock = dict(DecordInit=TRANSFORMS.get('DecordInit'))
    monkeypatch.setattr(TRANSFORMS, '_module_dict',
                        TRANSFORMS.module_dict | stock)
    study.train(job, tmp_path / 'out', tmp_path / 'work')
    path = tmp_path / 'out' / 'digits.jsonl'
    record, = study.records.read_lines(path)
    points = record['points']
    assert [point['iterations'] for point in points] == [3, 6]
    for point in points:
        assert 0 < point['loading_seconds']
        assert 0 < point['cpu_seconds']
    # Cut off behind the first epoch: its point stays, the others go.
    path.unlink()
    progress = tmp_path / 'work' / 'record.json'
    record['points'][1]['iterations'] = 7
    progress.write_text(json.dumps(record))
    study.train(job, tmp_path / 'out', tmp_path / 'work')
    again, = study.records.read_lines(path)
    assert again['points'] == points[:1]


def test_variants_that_run_by_default(configs, tmp_path, monkeypatch):
    study = load_tool('study/run')
    jobs = []
    monkeypatch.setattr(study, 'run', lambda job, *args: jobs.append(job) or 0)
    monkeypatch.setattr(study.study_configs, 'make_data', lambda data: None)
    monkeypatch.setattr('sys.argv', ['run.py', 'i3d', '--out', str(tmp_path)])
    assert study.main() == 0
    assert len(jobs) == 4
    assert {job['variant'] for job in jobs} <= set(configs.VARIANTS)


def test_records_of_parallel_runs(tmp_path):
    records = load_tool('study/records')
    path = tmp_path / 'new' / 'digits.jsonl'
    seeds = range(64)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda seed: records.append(
                    path, dict(seed=seed, points=[0.25] * 10_000)), seeds))
    found = records.read_lines(path)
    assert sorted(record['seed'] for record in found) == [*seeds]
    path.write_text('{}\n{"seed": 1, "poi')
    with pytest.raises(ValueError, match='digits.jsonl, line 2: is not'):
        records.read_lines(path)


def test_what_a_fine_tuned_run_starts_from():
    pretraining = load_tool('study/run').pretraining
    job = dict(model='mvit', data='ordered', variant='auto', seed=3)
    assert pretraining(dict(job, conditions=dict(lr=0.1))) is None
    for data, conditions, expected, theirs in (('utd7', dict(lr=0.1), 'utd20',
                                                dict(epochs=35)),
                                               ('ordered', dict(finetune=1),
                                                'digits', {})):
        assert pretraining(dict(job, data=data,
                                conditions=conditions)) == dict(
                                    model='mvit',
                                    data=expected,
                                    variant='baseline',
                                    seed=0,
                                    conditions=theirs)
