"""The study: what its variants change, what a run writes down, and what the report makes of it."""

import json

import pytest
from mmengine.config import Config

from ..conftest import ROOT
from ..small import load_tool


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))


@pytest.fixture
def variants(tools):
    from mmaction_multigrid.datasets.rules import RULES
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


def test_progressive_resizing_keeps_frames_batch_and_lr(variants):
    cfg, _ = variants.build('slowfast', 'digits', 'resize', {})
    assert [shapes for _, shapes in sampler_of(cfg)] == [[(1, 16, 24)], [(1, 16, 34)], [(1, 16, 48)], [(1, 16, 48)]]


def test_settings_of_the_variants(variants):
    def hooks(variant):
        return {hook['type']: hook for hook in variants.build('i3d', 'digits', variant, {})[0].custom_hooks}
    assert hooks('multigrid')['MultigridHook']['bn_base_size'] is None  # the base batch
    assert hooks('bn-8')['MultigridHook']['bn_base_size'] == 8
    assert hooks('plain-bn')['MultigridHook']['bn_base_size'] == 10**6
    assert 'PreciseBNHook' in hooks('multigrid')
    assert 'PreciseBNHook' not in hooks('no-precise-bn')


def test_stores_and_caps(variants):
    cfg, schedule = variants.build('i3d', 'digits', 'store-cap-2', {})
    assert schedule.settings.max_batch_factor == 2
    assert cfg.train_dataloader.dataset.dataset.pipeline[0].store == 'data/moving_digits16_store'
    assert variants.build('i3d', 'digits', 'cap-1', {})[1].settings.grid_store is None


def test_a_schedule_by_hand(variants):
    cfg, schedule = variants.build('i3d', 'ordered', 'hand-6x8x32-1x16x34-2x16x48', {})
    assert sampler_of(cfg) == [(6, [(1, 8, 32)]), (1, [(1, 16, 34)]), (2, [(1, 16, 48)])]
    assert [schedule.lr.without_warmup(epoch) for epoch in (0, 5, 6, 7, 8)] == pytest.approx([1, 1, 1, .1, .1])
    assert cfg.train_dataloader.dataset.dataset.pipeline[0].store == 'data/moving_digits30_store'


def test_the_store_of_a_part_is_that_of_the_whole(variants):
    assert variants.build('i3d', 'utd7', 'store', {})[1].settings.grid_store == 'data/utd_mhad_depth27_store'


def test_a_fixed_interval(variants):
    from mmaction_multigrid.datasets.grid import Grid
    from mmaction_multigrid.datasets.rules import find_rule
    step, grid = dict(type='SampleFrames', clip_len=16, frame_interval=1), Grid(4, 24, 16, 48)
    assert [args['frame_interval'] for args in find_rule(step).variants(step, grid)] == [1, 2, 3, 4]
    variants.build('slowfast', 'digits', 'fixed-interval', {})
    assert find_rule(step).variants(step, grid) == [dict(type='SampleFrames', clip_len=4, frame_interval=1)]


def test_a_baseline_that_is_stopped(variants, monkeypatch):
    monkeypatch.setattr(variants, 'count_clips', lambda cfg: 5000)
    cfg, _ = variants.build('slowfast', 'digits', 'baseline-short', {})
    # Epochs of 58, 58, 97, 97, 175 and 265 iterations: clips of 128 + 64 + 64, 64 + 32 + 32 and so on.
    assert cfg.train_cfg.to_dict() == dict(type='IterBasedTrainLoop', max_iters=750, val_interval=188)
    warmup, steps = cfg.param_scheduler
    assert (warmup.end, steps.milestones, steps.end) == (94, [562], 750)


def test_the_iterations_are_those_of_the_loop(variants):
    from torch.utils.data import SequentialSampler

    from mmaction_multigrid.datasets import MultigridBatchSampler
    ours = variants.load('slowfast', 'digits', True)
    resolved, _ = variants.build('slowfast', 'digits', 'multigrid', {})
    stages = resolved.train_dataloader.batch_sampler.stages
    sampler = MultigridBatchSampler(SequentialSampler(range(1250)), 8, stages)
    expected = sum(sampler.num_batches(epoch) for epoch in range(resolved.train_cfg.max_epochs))
    assert variants.iterations_of(ours, 1250) == expected


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


def test_a_base_batch_of_16(variants):
    cfg, _ = variants.build('i3d', 'digits', 'bn-batch', dict(batch=16.))
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(0.2)  # in proportion to the batch
    hooks = {hook['type']: hook for hook in cfg.custom_hooks}
    assert hooks['MultigridHook']['bn_base_size'] == 16


def test_a_cap_whose_shapes_share_iterations(variants):
    """Under a cap of 2 the coarse shapes, of 8 x and 4 x as many clips in the paper's schedule, keep their iterations."""
    cfg, schedule = variants.build('i3d', 'utd', 'store-cap-2-iterations', {})
    assert max(shape.batch_factor for stage in schedule.stages for shape in stage.shapes) == 2
    assert schedule.max_epochs == cfg.train_cfg.max_epochs == 105
    free, _ = variants.multigrid_schedule(variants.load('i3d', 'utd', True))
    capped = variants.build('i3d', 'utd', 'store-cap-2', {})[1]

    def coarsest(stages):
        return sum(stage.epochs for stage in stages if stage.shape == stages[0].shape)
    assert coarsest(schedule.stages) < coarsest(capped.stages) == coarsest(free.stages)


@pytest.mark.parametrize(('variant', 'budget'), [
    ('multigrid', 0.5), ('cap-2', 0.5), ('stage', 0.25), ('resize', 0.5), ('resize', 0.25)])
def test_a_budget_of_multigrid(variants, monkeypatch, variant, budget):
    """As many epochs as fit: what is computed is close below the budget, or there is one epoch."""
    monkeypatch.setattr(variants, 'count_clips', lambda cfg: 2500)
    _, schedule = variants.build('i3d', 'ordered', variant, dict(budget=budget))
    share = load_tool('study/budgets').computing(schedule)
    assert share <= 1.03 * budget
    assert schedule.max_epochs == 1 or share > 0.6 * budget


def test_a_budget_of_the_baseline(variants, monkeypatch):
    monkeypatch.setattr(variants, 'count_clips', lambda cfg: 2500)
    cfg, _ = variants.build('i3d', 'ordered', 'baseline', dict(budget=0.5))
    assert cfg.train_cfg.max_iters == 1560  # 10 epochs of 312, halved
    warmup, steps = cfg.param_scheduler
    assert [mark / 1560 for mark in steps.milestones] == pytest.approx([0.8], abs=0.11)
    large, _ = variants.build('i3d', 'ordered', 'large-batch', dict(budget=0.5))
    assert (large.train_dataloader.batch_size, large.train_cfg.max_iters) == (32, 390)


def test_a_full_size_network(variants):
    """Pipelines and batches of Kinetics-400's config, data and classes of UTD-MHAD's."""
    base, _ = variants.build('slowfast-r50', 'utd', 'baseline', dict(epochs=16.))
    ours, schedule = variants.build('slowfast-r50', 'utd', 'store-epochs-1', dict(epochs=16.))
    assert 'multigrid' not in base
    assert base.train_dataloader.dataset.ann_file == ours.train_dataloader.dataset.dataset.ann_file
    assert base.model.cls_head.num_classes == 27
    assert base.param_scheduler[0].end == 2
    assert (base.train_cfg.max_epochs, schedule.max_epochs) == (16, 16)


def test_the_parts_of_the_actions(variants, tmp_path, monkeypatch):
    """Every clip is in one of the parts, under a label that counts from 0."""
    folder = tmp_path / 'data' / 'utd_mhad_depth27'
    folder.mkdir(parents=True)
    for name in ('train', 'val'):
        (folder / f'{name}.txt').write_text(''.join(f'{name}/{label}.mp4 {label}\n' for label in range(27)))
    monkeypatch.chdir(tmp_path)
    names, labels = [], {}
    for data in ('utd20', 'utd7'):
        variants.write_lists(data)
        for name in ('train', 'val'):
            lines = [line.split() for line in (variants.PARTS / f'{data}_{name}.txt').read_text().splitlines()]
            names += [path for path, _ in lines]
            labels[data] = [int(label) for _, label in lines]
    assert sorted(names) == sorted(f'{name}/{label}.mp4' for name in ('train', 'val') for label in range(27))
    assert labels == dict(utd20=list(range(20)), utd7=list(range(7)))
    for variant in ('baseline', 'multigrid'):
        cfg, _ = variants.build('slowfast', 'utd7', variant, {})
        assert cfg.model.cls_head.num_classes == 7
        dataset = cfg.train_dataloader.dataset
        assert dataset.get('dataset', dataset).ann_file == str(variants.PARTS / 'utd7_train.txt')
        assert cfg.val_dataloader.dataset.ann_file == str(variants.PARTS / 'utd7_val.txt')


def test_fine_tuning_starts_from_one_pretraining(tools, tmp_path, monkeypatch):
    study = load_tool('study/run')
    monkeypatch.setattr(study, 'make_data', lambda *_: None)
    seen = []
    monkeypatch.setattr(study, 'run_all', lambda jobs, *_: seen.extend(map(study.run_name, jobs)) or 0)
    monkeypatch.setattr('sys.argv', ['study.py', 'i3d', '--data', 'utd7', '--variants', 'baseline', 'multigrid',
                                     '--out', str(tmp_path)])
    assert study.main() == 0
    assert seen == ['i3d_utd20_baseline_epochs-35_seed0', 'i3d_utd7_baseline_seed0', 'i3d_utd7_multigrid_seed0',
                    'i3d_utd7_baseline_seed1', 'i3d_utd7_multigrid_seed1']


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


@pytest.mark.parametrize(('model', 'data', 'made', 'sides'), [
    ('i3d', 'noisy', True, ['28', '40']), ('i3d', 'utd', False, ['80', '114']),
    ('i3d-r50', 'utd', False, ['128', '181'])])
def test_data_and_stores_are_made(tools, tmp_path, monkeypatch, model, data, made, sides):
    study = load_tool('study/run')
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / 'data' / ('noisy_digits30' if made else 'utd_mhad_depth27')
    if not made:
        with pytest.raises(SystemExit, match='utd_mhad_depth27 is not there'):
            study.make_data(model, data, ['store'])
    folder.mkdir(parents=True)
    (folder / 'train.txt').touch()
    commands = []
    monkeypatch.setattr(study.subprocess, 'run', lambda command, check: commands.append(command[1:]))
    study.make_data(model, data, ['baseline', 'store'])
    assert [command[0].endswith('moving_digits.py') for command in commands] == [True, False][not made:]
    assert commands[-1] == ['-m', 'mmaction_multigrid', 'store', 'build', f'data/{folder.name}/train.txt',
                            f'data/{folder.name}_store', '--root', f'data/{folder.name}', '--sides', *sides]
    study.make_data(model, data, ['baseline'])
    assert len(commands) == (3 if made else 1)


@pytest.mark.filterwarnings('ignore')
def test_the_forecast_beside_the_run(tools, digits, tmp_path, monkeypatch, capsys):
    """One line of figures for each variant; the run is a record's, as here, or is trained."""
    tool = load_tool('study/forecast')
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'moving_digits16').symlink_to(digits)
    monkeypatch.chdir(tmp_path)
    for name in ('make_data', 'run_all'):
        monkeypatch.setattr(tool, name, lambda *_: 0)
    out = tmp_path / 'out'
    out.mkdir()
    for variant in ('baseline', 'cap-2'):
        record = record_of(variant, 0, 50., 10., 20)
        (out / f'i3d_digits_{variant}_clips-24_seed0.json').write_text(json.dumps(record))
    monkeypatch.setattr('sys.argv', ['forecast.py', 'i3d', '--variants', 'baseline', 'cap-2', '--set', 'clips=24',
                                     '--out', str(out)])
    assert tool.main() == 0
    rows = [line.split('|') for line in capsys.readouterr().out.splitlines() if line.startswith('| i3d digits')]
    assert [row[1].strip() for row in rows] == ['i3d digits baseline', 'i3d digits cap-2']
    assert all((row[3], row[6]) == (' 9 ', ' 10 ') for row in rows)  # measured
    assert all(float(row[4]) > 0 and float(row[7]) > 0 for row in rows)


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
    assert report.table(report.read(tmp_path), 'budgets ordered i3d').splitlines()[2:] == [
        '| baseline |  | 80.0, 200 s |', '| baseline | 0.5 | 60.0, 100 s |']
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


def test_times_of_runs_that_had_the_machine_to_themselves(tools, tmp_path):
    """Seed 0 ran alone, both times, and is what times are of; accuracy is of all seeds."""
    report = load_tool('study/report')
    records = [record_of('baseline', 0, 90., 400., 1000), record_of('baseline', 1, 92., 900., 1000),
               record_of('multigrid', 0, 91., 100., 250), record_of('multigrid', 1, 93., 300., 250)]
    for number, record in enumerate(records):
        (tmp_path / f'{number}.json').write_text(json.dumps(dict(record, alone=number in (0, 1, 2))))
    assert report.variant_table(report.read(tmp_path), 'i3d', 'digits', report.PEERS).splitlines()[3] == (
        '| multigrid (default) | 2 | 250 | 92.0 (91.0 to 93.0) | 3.0 | 100 | 1 | 99 | 50 | 100 | 4.00x | 4.00x | 4.00x |')


def test_the_configs_of_the_study_are_there(variants):
    for names in variants.CONFIGS.values():
        base, ours = (Config.fromfile(ROOT / 'configs' / 'recognition' / name) for name in names)
        assert names[0] == names[1] or 'multigrid' not in base
        assert ours.model == base.model
