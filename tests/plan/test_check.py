"""The command check: what it measures, and what it warns of."""

import json
import re

import pytest
from mmengine.config import Config

from mmaction_multigrid import multigrid_schedule, plan
from mmaction_multigrid.__main__ import main
from mmaction_multigrid.cli import check
from mmaction_multigrid.plan import Probe, measure, probe, probe_shapes
from mmaction_multigrid.schedule import Shape

from ..conftest import ROOT
from ..toy import base_config


@pytest.fixture
def command(capsys, monkeypatch):
    """The command check in this process, in little time: its status, stdout and stderr."""
    monkeypatch.setattr(probe, 'ENOUGH_SECONDS', 0)
    monkeypatch.setattr(measure, 'SECONDS', 0.1)

    def call(*args):
        status = main(['check', *map(str, args)])
        return (status, *capsys.readouterr())

    return call


def good(shape):
    return Probe(shape, shape.batch_factor, seconds=1., loss=0.7, feature_size=4)


@pytest.fixture
def schedule(tmp_path):
    return multigrid_schedule(base_config(tmp_path, max_epochs=60, milestones=(20, 40)))[0]


def warn(schedule, probes=()):
    return plan.shape_warnings(schedule, list(probes))


def test_nothing_to_warn_of(schedule):
    assert warn(schedule, [good(Shape(1, 8, 16))]) == []


def test_clips_shorter_than_a_convolution(schedule):
    probe = good(Shape(16, 2, 8))
    probe.temporal_kernel = 3
    text, = warn(schedule, [probe])
    assert text.startswith('clips of 2 frames are shorter than a convolution of the network is in time (3 frames)')


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


def test_the_base_batch_of_a_slow_cpu(tmp_path, monkeypatch):
    """Two clips: of one, batch norm may have a single value."""
    cfg = base_config(tmp_path, batch_size=8)
    schedule, _ = multigrid_schedule(cfg)
    monkeypatch.setattr(check, 'QUICK', 1e9)
    assert check.quick_batch(cfg, schedule, 'cpu', 1) == 8
    monkeypatch.setattr(check, 'QUICK', 0.)
    assert check.quick_batch(cfg, schedule, 'cuda', 1) == 8
    assert check.quick_batch(cfg, schedule, 'cpu', 1) == 2
    cfg.train_dataloader.batch_size = 1
    assert check.quick_batch(cfg, schedule, 'cpu', 1) == 1


def check_times(path, config, out):
    """The file has a batch factor for every shape of the config, and the config's schedule takes them."""
    assert 'batches that take as long as the base batch' in out
    assert f"multigrid.batch_factors = '{path}'" in out
    rows = json.loads(path.read_text())['shapes']
    written = {(row['num_frames'], row['crop_size']): row['batch_factor'] for row in rows}
    cfg = Config.fromfile(config)
    shapes = plan.schedule_shapes(multigrid_schedule(cfg)[0])
    assert set(written) >= {shape[1:] for shape in shapes}
    assert written[16, 48] == 1 and min(written.values()) >= 1
    cfg.multigrid.batch_factors = str(path)
    taken = {shape[1:]: shape[0] for shape in plan.schedule_shapes(multigrid_schedule(cfg)[0])}
    assert taken.items() <= written.items()  # four epochs: other weights leave other stages out
    cfg.multigrid.batch_factors = 'nowhere.json'
    with pytest.raises(ValueError, match=r"multigrid.batch_factors = 'nowhere.json': must be 'cost' or a file"):
        multigrid_schedule(cfg)


def test_the_command(small_config, tmp_path, command):
    """The config's own videos are there: loading, validation and checkpoints are measured, too."""
    times = tmp_path / 'times.json'
    status, out, _ = command(small_config, '--hours', 0.001, '--write-times', times)
    assert status == 0
    check_times(times, small_config, out)
    assert '16 x 4 x 24' in out and '1 x 16 x 48' in out
    assert 'speed-up:' in out and 'left out' not in out
    assert 'forecast for 24 clips on this device' in out
    rows = {line.strip().split('  ')[0]: line.split()
            for line in out.splitlines() if line.endswith(' h')}
    assert all(float(rows[name][-4]) > 0 for name in ('training', 'validation', 'checkpoints', 'wall-clock'))
    assert 'a process; * more than train_dataloader.num_workers' in out
    lines = out.splitlines()
    begin = next(i for i, line in enumerate(lines) if 'what a cap on the batch costs' in line)
    caps = [re.split(r'\s{2,}', line.strip()) for line in lines[begin:] if ' h ' in line][:6]
    assert [row[0] for row in caps] == ['None', '8', '4', '2', '1', '1, no short cycle']
    assert caps[0][-1] == 'this config' and caps[-1][-1] == "'auto'"
    # Four epochs: twenty-four updates a cap of 1 leaves of 24 clips each.
    assert caps[-2][1] == caps[-1][1] == '96' and int(caps[0][1]) < 40
    assert ("advice: multigrid.max_batch_factor = 'auto' leaves updates enough (here: multigrid.max_batch_factor = 1, "
            'multigrid.short_cycle = False)') in out
    assert 'in 0.001 h: ' in out
    assert 'WARNING: the largest batch of all processes, 16 clips, is more than a tenth of the data set' in out
    assert 'WARNING: the schedule has' in out and "multigrid.max_batch_factor = 'auto' keeps as many" in out


def test_the_command_on_other_videos(small_config, digits, tmp_path, command):
    """Half of the list, a folder of its own and a store of it; what is not there is an error."""
    lines = (digits / 'train.txt').read_text().splitlines()[:12]
    (tmp_path / 'list.txt').write_text('\n'.join(lines) + '\n')
    main(['store', 'build', str(tmp_path / 'list.txt'), str(tmp_path / 'store'), '--root', str(digits), '--config',
          str(small_config), '--processes', '1'])
    status, out, _ = command(small_config, '--list', tmp_path / 'list.txt', '--root', digits, '--store',
                             tmp_path / 'store', '--workers', 2)
    assert status == 0
    assert 'forecast for 12 clips' in out
    assert 'train_dataloader.num_workers = 2' in out
    status, _, err = command(small_config, '--root', tmp_path)
    assert status == 2
    assert 'no clip can be loaded' in err


def test_the_command_without_the_data(small_config, command):
    status, out, _ = command(small_config, '--cfg-options', 'train_dataloader.dataset.ann_file=nowhere.txt',
                             'val_dataloader.dataset.ann_file=nowhere.txt')
    assert status == 0
    assert 'left out, since its data are not here: loading, validation' in out
    assert 'give --clips' in out


def test_the_command_fails_where_a_shape_does(small_config, command):
    channels = Config.fromfile(small_config).model.cls_head.in_channels
    status, out, _ = command(small_config, '--cfg-options', f'model.cls_head.in_channels={channels + 1}')
    assert status == 1
    assert 'fails: RuntimeError' in out
