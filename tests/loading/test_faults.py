"""Kill runs, fill the disk and damage checkpoints."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.checkpoints.checkpoint_hook import is_complete
from mmengine.runner import Runner

from ..conftest import ROOT
from ..engine.test_training import undisturbed  # noqa: F401
from ..engine.test_training import (assert_equal_weights, log_of, train,
                                    with_dropout)
from ..toy import base_config, new_name


@pytest.fixture(scope='module')
def broken_off(tmp_path_factory):
    """Stop a run before its sixth epoch, and return its folder."""
    torch.set_num_threads(1)
    cfg = with_dropout(tmp_path_factory.mktemp('broken_off'))
    cfg.custom_hooks.append(dict(type='StopHook', epoch=5))
    with pytest.raises(KeyboardInterrupt):
        Runner.from_cfg(new_name(apply_multigrid(cfg))).train()
    return cfg.work_dir


@pytest.mark.parametrize('damage', ['flipped', 'note'])
def test_a_damaged_last_checkpoint(
        undisturbed,  # noqa: F811
        broken_off,
        tmp_path,
        damage):
    """Resume from the newest complete one to the same end."""
    shutil.copytree(broken_off, tmp_path / 'run')
    last = tmp_path / 'run' / 'epoch_5.pth'
    note = tmp_path / 'run' / 'last_checkpoint'
    note.write_text(str(last) if damage == 'flipped' else '')
    if damage == 'flipped':
        data, middle = last.read_bytes(), last.stat().st_size // 2
        flipped = bytes([data[middle] ^ 255])
        for damaged in (b'', data[:middle],
                        data[:middle] + flipped + data[middle + 1:]):
            last.write_bytes(damaged)
            assert not is_complete(last)
    cfg = with_dropout(tmp_path / 'run')
    cfg.resume = True
    _, records = train(cfg)
    assert records[0]['epoch'] == (5 if damage == 'note' else 4)
    assert_equal_weights(undisturbed.folder, tmp_path / 'run')
    assert 'is missing or damaged; resuming from' in log_of(tmp_path / 'run')


@pytest.mark.parametrize('named', ['s3://bucket/epoch_3.pth', 'folder'])
def test_remote_checkpoints_and_folders_do_not_change(tmp_path, named):
    """Name a remote file, and a folder as of deepspeed."""
    (tmp_path / 'folder').mkdir()
    named = named if '://' in named else str(tmp_path / named)
    (tmp_path / 'last_checkpoint').write_text(named)
    cfg = base_config(tmp_path)
    cfg.resume = True
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.call_hook('before_run')
    assert (tmp_path / 'last_checkpoint').read_text() == named


def test_no_complete_checkpoint_is_an_error(tmp_path):
    """Training does not begin again without a request."""
    cfg = base_config(tmp_path, stages=[dict(epochs=1)])
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    torch.save({}, tmp_path / 'weights.pth')
    cfg.resume = True
    with pytest.raises(FileNotFoundError, match='epoch_3.pth'):
        train(cfg)


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
    """SIGKILL twenty times, and compare the end bit by bit."""
    (tmp_path / 'run.py').write_text(RUN)

    def start(folder):
        with open(tmp_path / 'log.txt', 'w') as log:
            return subprocess.Popen([
                sys.executable, '-W', 'ignore',
                str(tmp_path / 'run.py'),
                str(tmp_path / folder)
            ],
                                    cwd=ROOT,
                                    env=dict(os.environ, PYTHONPATH=str(ROOT)),
                                    stdout=log,
                                    stderr=log,
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
