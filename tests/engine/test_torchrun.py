"""Jobs that tools/dist_train.sh starts: on two machines as on one, and started
anew by themselves after a death."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import ROOT
from ..toy import base_config
from .test_training import assert_equal_weights

TIMEOUT = 200


def children(pid):
    """Processes that a process has started, and theirs."""
    found = []
    for tasks in Path(f'/proc/{pid}/task').glob('*/children'):
        for child in tasks.read_text().split():
            found += [int(child), *children(int(child))]
    return found


def end(process):
    """End a launcher and its processes, which are in process groups of their
    own."""
    if process.poll() is None:
        for pid in (*children(process.pid), process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def job(folder, nodes, processes, dies=False, restarts=0):
    """Start a job's launchers, one a node, and wait for all; exit codes and
    what they and their processes printed.

    On a loaded machine torch aborts a process now and then that is at its end,
    with a thread that nobody waits for; what it was to write is written by
    then. Such a job has to be run once more: with ``--resume`` that is its end
    only.
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
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False)
    if dies:
        cfg.custom_hooks.append(dict(type='DieHook'))
    cfg.dump(folder / 'config.py')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    env = dict(
        os.environ,
        PATH=f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        PYTHONPATH=str(ROOT),
        PYTHONWARNINGS='ignore',
        OMP_NUM_THREADS='1',
        NNODES=str(nodes),
        MASTER_ADDR='127.0.0.1',
        PORT=str(port),
        RESTARTS=str(restarts))
    started = []
    try:
        for node in range(nodes):
            with open(folder / f'node{node}.log', 'w') as log:
                started.append(
                    subprocess.Popen([
                        ROOT / 'tools' / 'dist_train.sh', folder / 'config.py',
                        str(processes), '--resume'
                    ],
                                     env=dict(env, NODE_RANK=str(node)),
                                     stdout=log,
                                     stderr=log))
        codes = [process.wait(TIMEOUT) for process in started]
    finally:
        for process in started:
            end(process)
    return codes, ''.join(path.read_text()
                          for path in sorted(folder.glob('node*.log')))


def errors_of(log):
    """The end of a log without the reports of training."""
    return '\n'.join(
        [line for line in log.splitlines() if ' - INFO - ' not in line][-200:])


@pytest.fixture(scope='module')
def one_node(tmp_path_factory):
    """The work dir of a job of two processes on one node."""
    folder = tmp_path_factory.mktemp('job') / 'one'
    codes, log = job(folder, 1, 2)
    assert codes == [0], errors_of(log)
    return folder / 'run'


def test_two_nodes_are_one_of_as_many_processes(tmp_path, one_node):
    codes, log = job(tmp_path / 'two', 2, 1)
    assert codes == [0, 0], errors_of(log)
    assert_equal_weights(one_node, tmp_path / 'two' / 'run')


@pytest.mark.long
def test_a_job_whose_process_dies_starts_anew_by_itself(tmp_path, one_node):
    """Resumed from the last checkpoint, it ends with the weights of the
    undisturbed one."""
    codes, log = job(tmp_path / 'dying', 2, 1, dies=True, restarts=1)
    assert codes == [0, 0], errors_of(log)
    assert (tmp_path / 'dying' / 'run' / 'happened').exists()
    assert re.findall(r'resumed epoch: (\d+)', log) == ['4'], errors_of(log)
    assert_equal_weights(one_node, tmp_path / 'dying' / 'run')
