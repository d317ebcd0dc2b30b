"""Killed, out of disk, damaged, unreadable: the right training, or one clear error."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.runner import Runner

from mmaction_multigrid import apply_multigrid, register_transform_rule
from mmaction_multigrid.checkpoints.checkpoint_hook import is_complete

from ..conftest import ROOT
from ..engine.test_training import (
    assert_equal_weights,
    interrupted,
    train,
    undisturbed,  # noqa: F401
    with_dropout,
)
from ..toy import RecordHook, base_config, new_name


@TRANSFORMS.register_module()
class BrokenFiles(BaseTransform):
    """Fails as a decoder does, on every clip of the given remainder."""

    def __init__(self, every=5):
        self.every = every

    def transform(self, results):
        if results['clip'] % self.every == 0:
            raise OSError(f'no decoder opens clip {results["clip"]}')
        return results


register_transform_rule('BrokenFiles', reads=True)


def with_broken_files(work_dir, every, max_share=None, **settings):
    cfg = base_config(work_dir, **settings)
    cfg.train_dataloader.dataset.pipeline.insert(0, dict(type='BrokenFiles', every=every))
    if max_share is not None:
        cfg.custom_hooks.append(dict(type='BadVideosHook', max_share=max_share))
    return cfg


def test_a_full_disk_ends_the_run_and_leaves_the_last_checkpoint(tmp_path):
    """A limit on the size of files, as a quota sets, that lets the first checkpoint through and not the second."""
    script = tmp_path / 'run.py'
    script.write_text(textwrap.dedent(f"""
        import resource, signal
        import mmaction_multigrid
        from mmengine.hooks import Hook
        from mmengine.runner import Runner
        from tests.toy import base_config
        from mmaction_multigrid import apply_multigrid

        class Quota(Hook):
            def before_train_epoch(self, runner):
                if runner.epoch == 2:
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))

        cfg = apply_multigrid(base_config({str(tmp_path / "run")!r}))
        cfg.default_hooks.checkpoint.max_keep_ckpts = 1
        runner = Runner.from_cfg(cfg)
        runner.logger.handlers = runner.logger.handlers[:1]  # the log must not be what fails
        runner.visualizer._vis_backends = {{}}
        runner.register_hook(Quota())
        runner.train()
    """))
    result = subprocess.run([sys.executable, '-W', 'ignore', str(script)], cwd=ROOT, capture_output=True, text=True,
                            env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert result.returncode != 0
    assert 'File too large' in result.stderr
    whole, = (tmp_path / 'run').glob('epoch_*.pth')
    assert is_complete(whole)
    assert not list((tmp_path / 'run').glob('.*.part'))


@pytest.fixture(scope='module')
def broken_off(tmp_path_factory):
    """Folder of a run that was broken off before its sixth epoch."""
    torch.set_num_threads(1)
    cfg = with_dropout(tmp_path_factory.mktemp('broken_off'))
    cfg.custom_hooks.append(dict(type='StopHook', epoch=5))
    with pytest.raises(KeyboardInterrupt):
        Runner.from_cfg(new_name(apply_multigrid(cfg))).train()
    return cfg.work_dir


@pytest.mark.parametrize('damage', ['cut', 'flipped', 'empty', 'gone', 'note'])
def test_a_damaged_last_checkpoint(undisturbed, broken_off, tmp_path, damage):  # noqa: F811
    """The newest whole one is resumed from, and the end is that of an undisturbed run."""
    shutil.copytree(broken_off, tmp_path / 'run')
    last, note = tmp_path / 'run' / 'epoch_5.pth', tmp_path / 'run' / 'last_checkpoint'
    note.write_text(str(last))
    data = last.read_bytes()
    if damage == 'note':
        note.write_text('')
    elif damage == 'gone':
        last.unlink()
    else:
        middle = len(data) // 2
        last.write_bytes(dict(cut=data[:middle], empty=b'',
                              flipped=data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1:])[damage])
        assert not is_complete(last)
    cfg = with_dropout(tmp_path / 'run')
    cfg.resume = True
    RecordHook.records.clear()
    Runner.from_cfg(new_name(apply_multigrid(cfg))).train()
    assert RecordHook.records[0]['epoch'] == (5 if damage == 'note' else 4)
    assert_equal_weights(undisturbed[0], tmp_path / 'run')
    log = ''.join(path.read_text() for path in (tmp_path / 'run').rglob('*.log'))
    assert 'is missing or damaged; resuming from' in log


@pytest.mark.parametrize('named', ['s3://bucket/epoch_3.pth', 'folder'])
def test_checkpoints_that_are_not_local_files_are_left_alone(tmp_path, named):
    """A remote one, and a folder as deepspeed writes."""
    (tmp_path / 'folder').mkdir()
    named = named if '://' in named else str(tmp_path / named)
    (tmp_path / 'last_checkpoint').write_text(named)
    cfg = base_config(tmp_path)
    cfg.resume = True
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.call_hook('before_run')
    assert (tmp_path / 'last_checkpoint').read_text() == named


def test_nothing_whole_is_left(tmp_path):
    cfg = base_config(tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    cfg.resume = True
    _, records = train(cfg)
    assert records[0]['epoch'] == 0
    log = ''.join(path.read_text() for path in tmp_path.rglob('*.log'))
    assert 'there is no other checkpoint: training starts anew' in log


@pytest.mark.parametrize('workers', [0, 2])
def test_broken_files_are_replaced_and_listed(tmp_path, workers):
    runner, records = train(with_broken_files(tmp_path, every=5, max_share=0.5, workers=workers))
    assert len(records) == runner.max_iters
    lines = [line.split('\t') for line in (tmp_path / 'bad_videos.txt').read_text().splitlines()]
    assert {name for _, name, _ in lines} == {f'clip {i}' for i in range(0, 64, 5)}
    assert all(error.startswith('OSError: no decoder opens clip') for _, _, error in lines)
    assert all(int(count) >= 5 for count, _, _ in lines)
    log = next(tmp_path.rglob('*.log')).read_text()
    named = re.findall(r'cannot load (clip \d+) ', log)
    assert len(named) == len(set(named)) == 10  # no more are named
    assert '13 files could not be loaded' in log


def test_resumed_over_broken_files(tmp_path):
    _, straight = train(with_broken_files(tmp_path / 'straight', every=5, max_share=0.5))
    assert interrupted(with_broken_files(tmp_path / 'run', every=5, max_share=0.5), 4) == straight
    assert_equal_weights(tmp_path / 'straight', tmp_path / 'run')


def test_a_data_set_that_is_bad_altogether(tmp_path):
    with pytest.raises(RuntimeError, match='100 clips in a row cannot be loaded; the last one: clip .*no decoder opens'):
        train(with_broken_files(tmp_path, every=1))


RUN = """
import sys
import mmaction_multigrid
from mmengine.runner import Runner
from tests.toy import base_config
from mmaction_multigrid import apply_multigrid
import torch
torch.set_num_threads(1)
cfg = base_config(sys.argv[1], num_clips=256, workers=1)
cfg.model.cls_head.dropout_ratio = 0.5
cfg.resume = True
cfg.default_hooks.checkpoint.max_keep_ckpts = 1
Runner.from_cfg(apply_multigrid(cfg)).train()
"""


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_killed_at_random_moments(tmp_path):
    """SIGKILL twenty times, at any moment; the end is that of an undisturbed run, bit for bit."""
    (tmp_path / 'run.py').write_text(RUN)

    def start(folder):
        with open(tmp_path / 'log.txt', 'w') as log:
            return subprocess.Popen([sys.executable, '-W', 'ignore', str(tmp_path / 'run.py'), str(tmp_path / folder)],
                                    cwd=ROOT, env=dict(os.environ, PYTHONPATH=str(ROOT)), stdout=log, stderr=log,
                                    start_new_session=True)

    def check_end(process):
        assert process.wait() == 0, (tmp_path / 'log.txt').read_text()[-3000:]

    begin = time.monotonic()
    straight = start('straight')
    check_end(straight)
    duration = time.monotonic() - begin
    generator = random.Random(0)
    kills = 0
    while kills < 20:
        process = start('killed')
        try:
            process.wait(generator.uniform(0.5, 1.) * duration)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        else:
            check_end(process)
            assert_equal_weights(tmp_path / 'straight', tmp_path / 'killed')
            shutil.rmtree(tmp_path / 'killed')  # and once more from the start
        for path in (tmp_path / 'killed').glob('*.pth'):
            assert is_complete(path), path
    process = start('killed')
    check_end(process)
    assert_equal_weights(tmp_path / 'straight', tmp_path / 'killed')
