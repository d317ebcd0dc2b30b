"""Run the commands of docs/running.md with stand-ins for programs."""

import os
import subprocess

import pytest

from ..conftest import ROOT
from ..docs.pages import DOCS, blocks

BLOCKS = blocks((DOCS / 'running.md').read_text(), 'bash')
STAND_INS = dict(
    scontrol='[ "$*" = "show hostnames node[7-8]" ] '
    '&& printf "node7\\nnode8\\n"',
    # Runs a task on each of the two machines.
    srun='while [ "${1#-}" != "$1" ]; do shift; done; '
    'for id in 0 1; do SLURM_NODEID=$id "$@"; done',
    python='echo "TORCH_DISABLE_SHARE_RDZV_TCP_STORE='
    '${TORCH_DISABLE_SHARE_RDZV_TCP_STORE:-}" "$@"')


@pytest.fixture
def bash(tmp_path):
    """Run a script among stand-ins, and return the lines that it prints."""
    for name, text in STAND_INS.items():
        (tmp_path / name).write_text(f'#!/bin/bash\n{text}\n')
        (tmp_path / name).chmod(0o755)

    def run(script, **variables):
        env = dict(
            os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}', **variables)
        return subprocess.run(['bash', '-euc', script],
                              cwd=ROOT,
                              env=env,
                              capture_output=True,
                              text=True,
                              check=True).stdout.splitlines()

    return run


def test_one_machine_and_several(bash):
    first, second = bash(BLOCKS[0])
    module = '-m torch.distributed.run'
    train = 'tools/train.py CONFIG --launcher pytorch --resume'
    assert first == (f'TORCH_DISABLE_SHARE_RDZV_TCP_STORE= {module} '
                     '--nnodes=1 --nproc_per_node=8 --node_rank=0 '
                     f'--master_addr=127.0.0.1 --master_port=29500 {train}')
    assert second == (f'TORCH_DISABLE_SHARE_RDZV_TCP_STORE= {module} '
                      '--nnodes=2 --nproc_per_node=8 --node_rank=0 '
                      f'--master_addr=node0 --master_port=29500 {train}')


def test_restarts_equal_the_command_on_the_page(bash):
    by_script, = bash(BLOCKS[1])
    by_hand, = bash(BLOCKS[2].replace('torchrun',
                                      'python -m torch.distributed.run'))
    assert sorted(by_script.split()) == sorted(by_hand.split())


def test_slurm_with_a_task_a_gpu(bash, tmp_path):
    (tmp_path / 'srun').write_text('#!/bin/bash\necho "$@"\n')
    line, = bash(next(block for block in BLOCKS if 'slurm_train' in block))
    assert line == ('-p PARTITION --job-name=JOB_NAME --gres=gpu:8 '
                    '--ntasks=16 --ntasks-per-node=8 --cpus-per-task=5 '
                    '--kill-on-bad-exit=1 python -u tools/train.py '
                    'CONFIG --launcher slurm --resume')


def test_slurm(bash):
    script = next(block for block in BLOCKS if '#SBATCH' in block)
    lines = bash(
        script, SLURM_JOB_NUM_NODES='2', SLURM_JOB_NODELIST='node[7-8]')
    assert len(lines) == 2
    for rank, line in enumerate(lines):
        assert line.startswith('TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 -m '
                               'torch.distributed.run --nnodes=2 ')
        for argument in ('--max_restarts=3', '--rdzv_endpoint=node7:29500',
                         f'--rdzv_conf=is_host={1 - rank}', '--resume'):
            assert argument in line.split()
