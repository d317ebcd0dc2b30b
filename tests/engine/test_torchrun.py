"""Run jobs by tools/dist_train.sh on one node and on two."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ..conftest import ROOT
from ..toy import DISTRIBUTED, base_config
from .test_training import assert_equal_weights

TIMEOUT = 200


def children(pid):
    """Return all descendants of a process."""
    found = []
    for tasks in Path(f'/proc/{pid}/task').glob('*/children'):
        for child in tasks.read_text().split():
            found += [int(child), *children(int(child))]
    return found


def wait(launchers):
    """Wait for launchers to end, and return their exit codes.

    Where one fails, the others are killed after a while: torchrun would wait
    for it for five minutes.
    """
    end = time.monotonic() + TIMEOUT
    while None in [process.poll() for process in launchers]:
        if any(process.returncode for process in launchers):
            end = min(end, time.monotonic() + 5)
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    for process in launchers:
        if process.poll() is None:
            for pid in (*children(process.pid), process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    return [process.wait() for process in launchers]


def free_port():
    """Return a free port that the kernel gives to no other connection.

    It lies below the range of those: a process that connects to a port of the
    range before the other one listens can be connected to itself.
    """
    while True:
        port = random.SystemRandom().randrange(10000, 32000)
        with socket.socket() as server, suppress(OSError):
            server.bind(('127.0.0.1', port))
            return port


def job(folder, nodes, processes, dies=False, restarts=0):
    """Run a job with one launcher per node.

    On a loaded machine torch aborts a process now and then at its end, when
    everything is written. Such a job is run again: with ``--resume`` that is
    its end only.

    Returns:
        tuple: Exit codes, and what all processes printed.
    """
    for _ in range(3):
        codes, log = start(folder, nodes, processes, dies, restarts)
        if not (any(codes)
                and 'terminate called without an active exception' in log):
            break
    return codes, log


def start(folder, nodes, processes, dies, restarts):
    """Run a job once."""
    folder.mkdir(exist_ok=True)
    cfg = base_config(folder / 'run', num_clips=128)
    cfg.custom_imports.imports.append('tests.gloo')
    cfg.model.cls_head.dropout_ratio = 0.5
    cfg.model_wrapper_cfg = DISTRIBUTED
    if dies:
        cfg.custom_hooks.append(dict(type='DieHook'))
    cfg.dump(folder / 'config.py')
    env = dict(
        os.environ,
        PATH=f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        PYTHONPATH=str(ROOT),
        PYTHONWARNINGS='ignore',
        OMP_NUM_THREADS='1',
        NNODES=str(nodes),
        MASTER_ADDR='127.0.0.1',
        PORT=str(free_port()),
        RESTARTS=str(restarts))
    command = [
        ROOT / 'tools' / 'dist_train.sh', folder / 'config.py',
        str(processes), '--resume'
    ]
    with open(folder / 'job.log', 'w') as log:
        codes = wait([
            subprocess.Popen(
                command,
                env=dict(env, NODE_RANK=str(node)),
                stdout=log,
                stderr=log) for node in range(nodes)
        ])
    return codes, (folder / 'job.log').read_text()


@pytest.fixture(scope='module')
def one_node(tmp_path_factory):
    """Return the work dir of a job of two processes on one node."""
    folder = tmp_path_factory.mktemp('job') / 'one'
    codes, log = job(folder, 1, 2)
    assert codes == [0], log[-9000:]
    return folder / 'run'


def test_two_nodes_train_as_one_with_as_many_processes(tmp_path, one_node):
    codes, log = job(tmp_path / 'two', 2, 1)
    assert codes == [0, 0], log[-9000:]
    assert_equal_weights(one_node, tmp_path / 'two' / 'run')


@pytest.mark.long
def test_a_job_restarts_after_a_crash(tmp_path, one_node):
    """It resumes and ends with the weights of the undisturbed job."""
    codes, log = job(tmp_path / 'dying', 2, 1, dies=True, restarts=1)
    assert codes == [0, 0], log[-9000:]
    assert (tmp_path / 'dying' / 'run' / 'happened').exists()
    assert re.findall(r'resumed epoch: (\d+)', log) == ['4'], log[-9000:]
    assert_equal_weights(one_node, tmp_path / 'dying' / 'run')
