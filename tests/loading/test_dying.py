"""Let processes die or hang: the run ends with an error, and resumes."""

import os
import re
import signal
import subprocess
import sys

import pytest

from ..conftest import ROOT
from ..engine.test_training import assert_equal_weights

RUN = """
import os, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
import mmaction_multigrid
import torch.distributed as dist
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tests.toy import base_config
from mmaction_multigrid import apply_multigrid, register_transform_rule

folder, fault, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
marker = Path(folder + '.happened')

class Fault(Hook):
    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, *args, **kwargs):
        if runner.epoch != 4 or batch_idx != 1 or marker.exists():
            return
        if fault == 'worker':
            marker.touch()
            worker, *_ = runner.train_dataloader._iterator._workers
            os.kill(worker.pid, signal.SIGKILL)
        if fault == 'terminated':
            marker.touch()
            os.kill(os.getpid(), signal.SIGTERM)

@TRANSFORMS.register_module()
class Hang(BaseTransform):
    # In epoch 4 only once, as a network drive does.
    def transform(self, results):
        begun = Path(folder, 'epoch_4.pth').exists()
        if fault == 'hang' and begun and not marker.exists():
            marker.touch()
            time.sleep(600)
        if fault == 'unreadable' and results['clip'] in (5, 30):
            raise OSError('no decoder opens this')
        if fault == 'crash' and results['clip'] in (5, 30):
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        return results

register_transform_rule('Hang', does_io=True)
cfg = base_config(folder, workers=workers)
cfg.model.cls_head.dropout_ratio = 0.5
cfg.train_dataloader.dataset.pipeline.insert(0, dict(type='Hang'))
if workers:
    cfg.train_dataloader.timeout = 5
cfg.custom_hooks.append(dict(type='BadVideosHook', max_share=0.5))
cfg.resume = True
if 'RANK' in os.environ:
    dist.init_process_group(
        'gloo', init_method='file://' + os.environ['MEETING'],
        rank=int(os.environ['RANK']), world_size=2)
    cfg.launcher = 'pytorch'
    cfg.experiment_name = 'dying'
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel', device_ids=None,
        broadcast_buffers=False)
runner = Runner.from_cfg(apply_multigrid(cfg))
runner.register_hook(Fault())
runner.train()
"""


def launch(tmp_path, folder, fault, workers=0, processes=1):
    """Run processes to their end; return exit codes and their output."""
    script, meeting = tmp_path / 'run.py', tmp_path / 'processes'
    script.write_text(RUN)
    meeting.unlink(missing_ok=True)
    started = []
    for rank in range(processes):
        env = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
        if processes > 1:
            env.update(
                RANK=str(rank),
                LOCAL_RANK=str(rank),
                WORLD_SIZE='2',
                MEETING=str(meeting))
        with open(tmp_path / f'{folder}.{rank}.log', 'w') as log:
            started.append(
                subprocess.Popen([
                    sys.executable, '-W', 'ignore',
                    str(script),
                    str(tmp_path / folder), fault,
                    str(workers)
                ],
                                 cwd=ROOT,
                                 env=env,
                                 stdout=log,
                                 stderr=log,
                                 start_new_session=True))
    try:
        codes = [process.wait(150) for process in started]
    finally:
        for process in started:  # none is left behind, whatever happened
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return codes, ''.join((tmp_path / f'{folder}.{rank}.log').read_text()
                          for rank in range(processes))


def fine(result):
    codes, log = result
    assert not any(codes), log[-3000:]


FAULTS = dict(
    terminated=(0, -signal.SIGTERM, ''),
    worker=(1, 1, 'is killed by signal|exited unexpectedly|'
            'ConnectionResetError|EOFError'),
    hang=(1, 1, 'DataLoader timed out after 5 seconds'))


@pytest.mark.long
@pytest.mark.parametrize('fault', FAULTS)
def test_the_run_ends_and_resumes_to_the_same_weights(tmp_path, fault):
    workers, code, message = FAULTS[fault]
    fine(launch(tmp_path, 'straight', 'none', workers))
    codes, log = launch(tmp_path, 'run', fault, workers)
    assert codes == [code], log[-3000:]
    assert re.search(message, log)
    assert (tmp_path / 'run.happened').exists()
    fine(launch(tmp_path, 'run', fault, workers))
    assert_equal_weights(tmp_path / 'straight', tmp_path / 'run')


@pytest.mark.long
def test_crashed_workers_on_two_processes(tmp_path):
    """The other process waits; files count as files that cannot be read."""
    fine(launch(tmp_path, 'unreadable', 'unreadable', workers=1, processes=2))
    codes, log = launch(tmp_path, 'run', 'crash', workers=1, processes=2)
    assert codes == [0, 0], log[-3000:]
    assert 'ended the process that opened it' in (
        tmp_path / 'run' / 'bad_videos.txt').read_text()
    assert_equal_weights(tmp_path / 'unreadable', tmp_path / 'run')
