"""Two gloo processes on this machine: the same shapes, the same weights, one batch norm."""

import os
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmaction.registry import MODELS
from mmengine.model.utils import _BatchNormXd
from mmengine.runner import Runner
from torch import nn

from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.batch_norm import SubSyncBatchNorm, convert_sub_batch_norm, set_bn_splits
from mmaction_multigrid.core.batch_norm import SUB_CLASSES

from ..core.batches import seeded_batches
from ..toy import RecordHook, SplitsHook, base_config

WORLD = 2


def _enter(rank, port, function, folder):
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), RANK=str(rank), LOCAL_RANK=str(rank),
                      WORLD_SIZE=str(WORLD))
    torch.set_num_threads(1)
    dist.init_process_group('gloo', rank=rank, world_size=WORLD)
    try:
        torch.save(function(rank, folder), folder / f'rank{rank}.pt')
    finally:
        dist.destroy_process_group()


def in_two_processes(function, folder):
    """Call ``function(rank, folder)`` in two processes; what they returned, rank 0's first."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    mp.start_processes(_enter, (port, function, folder), nprocs=WORLD, start_method='spawn')
    return [torch.load(folder / f'rank{rank}.pt', weights_only=False) for rank in range(WORLD)]


def joint_clips():
    return seeded_batches(5, (6, 4, 2, 3, 3), (6, 4, 2, 3, 3))


def layer(affine=True):
    norm = nn.BatchNorm3d(4, affine=affine)
    if affine:
        norm.weight.data, norm.bias.data = torch.tensor([1., .5, 2., -1.]), torch.tensor([0., 1., -1., 2.])
    return norm


def synchronised(rank, folder):
    """Three of six clips through a layer that shares its statistics with the other process, twice."""
    results = {}
    for affine in (True, False):
        norm = layer(affine)
        set_bn_splits(convert_sub_batch_norm(norm), 1, dist.group.WORLD)
        for clips, weights in (joint_clips(), joint_clips()[::-1]):
            clips = (3 * clips[3 * rank:3 * rank + 3] + 1).requires_grad_()
            norm.zero_grad()
            output = norm(clips)
            (output * weights[3 * rank:3 * rank + 3]).sum().backward()
        results[affine] = dict(output=output.detach(), input_grad=clips.grad,
                               grads=[parameter.grad for parameter in norm.parameters()],
                               state=norm.state_dict())
    return results


def test_synchronised_batch_norm_is_one_process_on_the_joint_batch(tmp_path):
    ranks = in_two_processes(synchronised, tmp_path)
    for affine in (True, False):
        stock = layer(affine)
        for clips, weights in (joint_clips(), joint_clips()[::-1]):
            clips = (3 * clips + 1).requires_grad_()
            stock.zero_grad()
            output = stock(clips)
            (output * weights).sum().backward()
        found = [rank[affine] for rank in ranks]
        close = dict(rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(torch.cat([f['output'] for f in found]), output.detach(), **close)
        torch.testing.assert_close(torch.cat([f['input_grad'] for f in found]), clips.grad, **close)
        # Data-parallel training averages the ranks' parameter gradients; here their sum is the joint batch's.
        for parameter, *grads in zip(stock.parameters(), *(f['grads'] for f in found)):
            torch.testing.assert_close(sum(grads), parameter.grad, **close)
        for f in found:
            torch.testing.assert_close(f['state'], stock.state_dict(), **close)


def whole_run(rank, folder, norm='BN3d'):
    """A toy run of 2 clips per process and groups of 8: splits in coarse stages, shared statistics in fine ones."""
    cfg = base_config(folder / 'run', milestones=(3, 5), bn_base_size=8)
    cfg.model.backbone.norm = norm
    cfg.launcher = 'pytorch'
    cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    cfg.experiment_name = 'two_processes'
    cfg.custom_hooks.append(dict(type='SplitsHook'))
    runner = Runner.from_cfg(apply_multigrid(cfg))
    runner.train()
    groups = runner.model.module.backbone.bn.process_group is not None
    return dict(records=list(RecordHook.records), state=runner.model.module.state_dict(), splits=SplitsHook.seen,
                max_iters=runner.max_iters, synchronised_at_the_end=groups)


def test_a_run_in_two_processes(tmp_path):
    first, second = in_two_processes(whole_run, tmp_path)
    for key in ('epoch', 'iter', 'batch', 'frames', 'crop', 'lr'):
        assert [record[key] for record in first['records']] == [record[key] for record in second['records']]
    assert len(first['records']) == first['max_iters'] == second['max_iters']
    for one, other in zip(first['records'], second['records']):
        assert not set(one['indices']) & set(other['indices'])
    learnable = [key for key in first['state'] if 'running' not in key]
    for key in learnable:
        assert torch.equal(first['state'][key], second['state'][key]), key
    assert first['synchronised_at_the_end'] and second['synchronised_at_the_end']
    assert first['splits'][8] == 2


@MODELS.register_module(force=True)
class SynchronisedOnCPU(_BatchNormXd):
    """In the place of torch's own, which DDP refuses on a CPU: the class that mmengine makes of one."""


def synchronised_run(rank, folder):
    SUB_CLASSES[SynchronisedOnCPU] = SubSyncBatchNorm
    return whole_run(rank, folder, 'SynchronisedOnCPU')


def test_synchronised_layers_keep_the_clips_of_all_processes(tmp_path):
    """2 clips on each of two processes are 4 in base training: so many have the groups of every stage."""
    for found in in_two_processes(synchronised_run, tmp_path):
        assert found['splits'] == {8: 4, 4: 2, 2: 1, 1: 1}  # of batches of 16, 8, 4 and 2 clips a process
        assert found['synchronised_at_the_end']  # 2 clips and the other process' 2


@pytest.fixture(autouse=True)
def no_leftover_group():
    yield
    assert not dist.is_initialized()
