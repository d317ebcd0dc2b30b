"""The command check: what it measures, and what it warns of."""

import re

import pytest
from mmengine.config import Config

from mmaction_multigrid import multigrid_schedule, profiling
from mmaction_multigrid.__main__ import main
from mmaction_multigrid.cli import check
from mmaction_multigrid.profiling import Probe, measure, probe, probe_shapes
from mmaction_multigrid.schedule import Shape

from ..conftest import ROOT
from ..toy import base_config


@pytest.fixture
def command(capsys, monkeypatch):
    """The command check, quick: its status, stdout and stderr."""
    monkeypatch.setattr(probe, 'ENOUGH_SECONDS', 0)
    monkeypatch.setattr(measure, 'SECONDS', 0.1)

    def call(*args):
        status = main(['check', *map(str, args)])
        return (status, *capsys.readouterr())

    return call


def coarse(**changed):
    found = dict(seconds=1., loss=0.7, feature_size=4, peak_memory=114)
    return Probe(Shape(16, 2, 8), 16, **{**found, **changed})


@pytest.mark.parametrize(('changed', 'text'), [
    (dict(), ''),
    (dict(temporal_kernel=3), 'clips of 2 frames are shorter than a convolution of the network is in time (3 frames)'),
    (dict(peak_memory=116), '2 frames x 8 pixels needs 1.16 times the memory of the base shape'),
    (dict(feature_size=1), 'a crop of 8 pixels leaves the head 1 x 1 positions'),
    (dict(error='RuntimeError: no'), '2 frames x 8 pixels fails: RuntimeError: no'),
    (dict(loss=float('nan')), '2 frames x 8 pixels fails: loss = nan'),
])
def test_warnings(tmp_path, changed, text):
    schedule, _ = multigrid_schedule(base_config(tmp_path))
    base = Probe(Shape(1, 8, 16), 1, seconds=1., loss=0.7, feature_size=4,
                 peak_memory=100)
    found = profiling.shape_warnings(schedule, [base, coarse(**changed)])
    assert len(found) == bool(text)
    assert not text or text in found[0]


def test_slowfast_trains_on_clips_of_the_multiple_that_its_pathways_share(
        monkeypatch):
    """Of 6 frames, a quarter of 24, the slow pathway would see one."""
    said = []
    monkeypatch.setattr('mmaction_multigrid.config.apply.print_log',
                        lambda text, **kwargs: said.append(text))
    cfg = Config.fromfile(
        ROOT / 'configs' / 'recognition' / 'slowfast' /
        'slowfast-tiny-multigrid_1xb4-16x4x1-steplr-105e_utd-mhad-depth-rgb.py')
    sampler, = (step for step in cfg.train_dataloader.dataset.pipeline
                if step.type == 'SampleFrames')
    sampler.clip_len = 24
    schedule, _ = multigrid_schedule(cfg)
    assert said == ['multigrid: clips of 6 frames have 8: the network takes '
                    'multiples of 4']
    frames = {shape.num_frames for stage in schedule.stages
              for shape in stage.shapes}
    assert frames == {8, 12, 24}
    probes = list(probe_shapes(
        cfg.model, [Shape(1, count, 28) for count in (6, *sorted(frames))], 1,
        repeats=1))
    assert [probe.works for probe in probes] == [False, True, True, True]


def test_probes_of_a_toy_model(tmp_path):
    model = base_config(tmp_path).model
    found = list(probe_shapes(model, [Shape(16, 2, 8), Shape(1, 8, 16)], 2))
    assert [probe.clips for probe in found] == [32, 2]
    for step in found:
        assert step.works and 0 < step.loss < 5
        assert 0 < step.forward_seconds < step.seconds
    assert found[0].feature_size == 8
    model.cls_head.in_channels = 5
    failed, = probe_shapes(model, [Shape(1, 8, 16)], batch_size=1)
    assert not failed.works and 'RuntimeError' in failed.error


@pytest.mark.parametrize(('device', 'configured', 'quick', 'batch'), [
    ('cpu', 8, 1e9, 8), ('cuda', 8, 0., 8), ('cpu', 8, 0., 2),
    ('cpu', 1, 0., 1)])
def test_the_base_batch_of_a_slow_cpu(tmp_path, monkeypatch, device,
                                      configured, quick, batch):
    """Two clips: of one, batch norm may have a single value."""
    cfg = base_config(tmp_path, batch_size=configured)
    schedule, _ = multigrid_schedule(cfg)

    def steps(model, shapes, batch_size, *args):
        return [Probe(shape, batch_size, seconds=.1, loss=1.)
                for shape in shapes]

    monkeypatch.setattr(check, 'QUICK_SECONDS', quick)
    monkeypatch.setattr(check, 'probe_shapes', steps)
    args = check.argparse.Namespace(batch_size=None, device=device)
    found, = check.measure_steps(cfg, schedule, [schedule.base.shape], args)
    assert found.clips == batch


def test_the_command(small_config, command):
    """The config's own videos are there: loading and validation, too."""
    status, out, err = command(small_config, '--hours', 0.001)
    assert status == 0
    assert '16 x 4 x 24' in out and '1 x 16 x 48' in out
    assert 'speed-up:' in out and 'left out' not in out
    assert 'forecast for 24 clips on this device' in out
    rows = {line.strip().split('  ')[0]: line.split()
            for line in out.splitlines() if line.endswith(' h')}
    for name in ('training', 'precise BN', 'validation', 'wall-clock'):
        assert float(rows[name][-4]) > 0
    assert 'a process; * more than train_dataloader.num_workers' in out
    caps = [re.split(r'\s{2,}', line.strip()) for line in out.partition(
        'what a cap on the batch costs')[2].splitlines() if ' h ' in line][:6]
    assert [row[0] for row in caps] == [
        'None', '8', '4', '2', '1', '1, no short cycle']
    assert caps[0][-1] == 'this config' and caps[-1][-1] == "'auto'"
    # Four epochs of 24 clips each, one clip an update under a cap of 1.
    assert caps[-2][1] == caps[-1][1] == '96' and int(caps[0][1]) < 40
    assert 'in 0.001 h: ' in out
    assert ('WARNING: the largest batch of all processes, 16 clips, is more '
            'than a tenth of the data set') in out
    assert 'WARNING: the schedule has' in out
    assert "multigrid.max_batch_factor = 'auto' keeps as many" in out
    assert 'loading' in err.splitlines()


def test_the_command_on_other_videos(small_config, digits, tmp_path, command):
    """Half of the list, in a folder of its own, and a store of it."""
    lines = (digits / 'train.txt').read_text().splitlines()[:12]
    (tmp_path / 'list.txt').write_text('\n'.join(lines) + '\n')
    data = ('--list', tmp_path / 'list.txt', '--root', digits)
    main(['store', 'build', str(data[1]), str(tmp_path / 'store'), '--root',
          str(digits), '--config', str(small_config), '--processes', '1'])
    status, out, _ = command(small_config, *data, '--store',
                             tmp_path / 'store')
    assert status == 0
    assert 'forecast for 12 clips' in out
    status, _, err = command(small_config, '--root', tmp_path)
    assert status == 2
    assert 'no clip can be loaded' in err


def test_the_command_without_the_data_where_a_shape_fails(small_config,
                                                          command):
    nowhere = [f'{split}_dataloader.dataset.ann_file=nowhere.txt'
               for split in ('train', 'val')]
    status, out, _ = command(small_config, '--cfg-options', *nowhere)
    assert status == 0
    assert 'left out, since its data are not here: loading, validation' in out
    assert 'give --clips' in out
    channels = Config.fromfile(small_config).model.cls_head.in_channels
    status, out, _ = command(small_config, '--cfg-options', *nowhere,
                             f'model.cls_head.in_channels={channels + 1}')
    assert status == 1
    assert 'fails: RuntimeError' in out and 'speed-up' not in out
