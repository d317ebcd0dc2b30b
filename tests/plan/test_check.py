"""The command check: what it measures, and what it warns of."""

import itertools
import subprocess
import sys

import pytest
from mmengine.config import Config

from mmaction_multigrid import multigrid_schedule, plan
from mmaction_multigrid.plan import Probe, probe_shapes
from mmaction_multigrid.schedule import Shape, count_iterations

from ..conftest import ROOT
from ..small import run
from ..toy import base_config

CHECK = ('-m', 'mmaction_multigrid', 'check')


def good(shape):
    return Probe(shape, shape.batch_factor, seconds=1., loss=0.7, feature_size=4)


@pytest.fixture
def schedule(tmp_path):
    return multigrid_schedule(base_config(tmp_path, max_epochs=60, milestones=(20, 40)))[0]


def warn(schedule, probes=(), batch_size=2, clips=100000, processes=1):
    return plan.shape_warnings(schedule, list(probes)) + plan.data_warnings(schedule, batch_size, clips, processes)


def test_nothing_to_warn_of(schedule):
    assert warn(schedule, [good(Shape(1, 8, 16))]) == []


def test_workers_that_keep_up(schedule):
    """Every step takes a second and base batches have one clip, so that a stage eats its average batch factor."""
    probes = [good(shape) for stage in schedule.stages for shape in stage.shapes] + [good(schedule.base.shape)]
    base, first, *_ = plan.loader_rows(schedule, probes, clips_per_second=3)
    assert base == ('base', 1., 1)
    # 16, 8 and 8 clips in three seconds are 10.7 a second: four workers of three.
    assert [shape.batch_factor for shape in schedule.stages[0].shapes] == [16, 8, 8]
    assert first == (f'1-{schedule.stages[0].end}', pytest.approx(32 / 3), 4)


@pytest.mark.parametrize(('peak', 'warns'), [(114, False), (116, True)])
def test_a_shape_that_needs_more_memory_than_the_base(schedule, peak, warns):
    base, other = good(Shape(1, 8, 16)), good(Shape(16, 2, 8))
    base.peak_memory, other.peak_memory = 100, peak
    expected = ['2 frames x 8 pixels needs 1.16 times the memory of the base shape'] if warns else []
    assert warn(schedule, [base, other]) == expected


def test_a_crop_smaller_than_the_stride_survives(schedule):
    probe = good(Shape(16, 2, 8))
    probe.feature_size = 1
    text, = warn(schedule, [probe])
    assert 'a crop of 8 pixels leaves the head 1 x 1 positions' in text


def test_slowfast_trains_on_clips_of_the_multiple_that_its_pathways_share(monkeypatch):
    """A quarter of 24 frames is 6, of which the slow pathway would see one and the lateral connections two."""
    said = []
    monkeypatch.setattr('mmaction_multigrid.config.apply.print_log', lambda text, **kwargs: said.append(text))
    cfg = Config.fromfile(ROOT / 'configs' / 'recognition' / 'slowfast' /
                          'slowfast-tiny-multigrid_1xb4-16x4x1-steplr-105e_utd-mhad-depth-rgb.py')
    sampler, = (step for step in cfg.train_dataloader.dataset.pipeline if step.type == 'SampleFrames')
    sampler.clip_len = 24
    schedule, _ = multigrid_schedule(cfg)
    assert said == ['multigrid: clips of 6 frames have 8: the network takes multiples of 4']
    shapes = {shape.num_frames: shape for stage in schedule.stages for shape in stage.shapes}
    assert sorted(shapes) == [8, 12, 24]
    probes = list(probe_shapes(cfg.model, [Shape(1, 6, 28), *shapes.values()], 1, repeats=1, one_clip=True))
    assert [probe.works for probe in probes] == [False, True, True, True]


def test_a_shape_that_fails(schedule):
    probe = Probe(Shape(16, 2, 8), 16, error='RuntimeError: no')
    assert warn(schedule, [probe]) == ['2 frames x 8 pixels fails: RuntimeError: no']
    assert 'loss = nan' in warn(schedule, [Probe(Shape(16, 2, 8), 16)])[0]


def test_a_batch_of_more_than_a_tenth(schedule):
    # The largest batch has 16 x 2 clips.
    assert not any('tenth' in text for text in warn(schedule, clips=320))
    assert any('batch of all processes, 32 clips' in text for text in warn(schedule, clips=319))
    assert any('batch of all processes, 64 clips' in text for text in warn(schedule, clips=639, processes=2))


def test_too_few_updates(schedule):
    def updates(clips):
        return sum(count_iterations(schedule.stages, 2, clips).values())

    enough = next(clips for clips in itertools.count(32) if updates(clips) >= 3000)
    assert updates(enough - 1) < 3000
    assert not any('updates' in text for text in warn(schedule, clips=enough))
    assert any('updates, and less than 3000' in text for text in warn(schedule, clips=enough - 1))


def test_clips_of_nested_data_sets(tmp_path):
    (tmp_path / 'list.txt').write_text('a 0\nb 1\n\nc 2\n')
    part = dict(ann_file=str(tmp_path / 'list.txt'))
    assert plan.count_clips(dict(dataset=part)) == 3
    nested = dict(type='RepeatDataset', times=4, dataset=dict(type='ConcatDataset', datasets=[part, part]))
    assert plan.count_clips(dict(dataset=nested)) == 24
    assert plan.count_clips(dict(dataset=dict(ann_file='nowhere.txt'))) is None


def test_probes_of_a_toy_model(tmp_path):
    shapes = [Shape(16, 2, 8), Shape(1, 8, 16)]
    coarse, base = probe_shapes(base_config(tmp_path).model, shapes, batch_size=2)
    assert (coarse.clips, base.clips) == (32, 2)
    assert coarse.works and base.works
    assert 0 < coarse.loss < 5
    assert coarse.feature_size == 8
    assert base.seconds > 0


def test_a_model_that_cannot_take_a_shape(tmp_path):
    model = base_config(tmp_path).model
    model.cls_head.in_channels = 5
    probe, = probe_shapes(model, [Shape(1, 8, 16)], batch_size=1)
    assert not probe.works
    assert 'RuntimeError' in probe.error


def test_the_command(small_config):
    out = run(*CHECK, small_config, '--clips-per-second', 10)
    assert 'workers that keep up' in out
    assert '16 x 4 x 24' in out and '1 x 16 x 48' in out
    assert 'speed-up:' in out
    assert 'wall-clock for 24 clips' in out
    assert 'WARNING: the largest batch of all processes, 16 clips, is more than a tenth of the data set' in out
    assert 'updates, and less than 3000' in out


def test_the_command_fails_where_a_shape_does(small_config):
    broken = Config.fromfile(small_config)
    result = subprocess.run([sys.executable, *CHECK, str(small_config), '--cfg-options',
                             f'model.cls_head.in_channels={broken.model.cls_head.in_channels + 1}'],
                            capture_output=True, text=True)
    assert result.returncode == 1, result.stderr[-2000:]
    assert 'fails: RuntimeError' in result.stdout
