"""Train in two gloo processes: shapes, weights and batch norm."""

import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.batch_norm import (SUB_CLASSES, SubSyncBatchNorm,
                                                convert_sub_batch_norm,
                                                set_bn_splits)
from mmengine.model.utils import _BatchNormXd
from mmengine.runner import Runner
from torch import nn

from mmaction.registry import MODELS
from .. import plain_text  # noqa: F401  for the processes it starts
from ..core.batches import seeded_batches
from ..toy import DISTRIBUTED, RecordHook, SplitsHook, base_config
from .test_training import train

WORLD = 2


def _enter(rank, function, folder):
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(WORLD))
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder}/processes',
        rank=rank,
        world_size=WORLD)
    try:
        torch.save(function(rank, folder), folder / f'rank{rank}.pt')
    finally:
        dist.destroy_process_group()


def in_two_processes(function, folder):
    """Call ``function(rank, folder)`` in two processes.

    Returns:
        list: What they returned, rank 0's first.
    """
    mp.spawn(_enter, (function, folder), nprocs=WORLD)
    return [
        torch.load(folder / f'rank{rank}.pt', weights_only=False)
        for rank in range(WORLD)
    ]


def on_two_processes(work_dir, **settings):
    """Return a toy config with a batch of 2 clips on each process."""
    cfg = base_config(work_dir, **settings)
    cfg.launcher, cfg.experiment_name = 'pytorch', work_dir.name
    cfg.model_wrapper_cfg = DISTRIBUTED
    return cfg


def joint_clips():
    return seeded_batches(5, (6, 4, 2, 3, 3), (6, 4, 2, 3, 3))


def layer(affine=True):
    norm = nn.BatchNorm3d(4, affine=affine)
    if affine:
        norm.weight.data, norm.bias.data = (torch.tensor([1., .5, 2., -1.]),
                                            torch.tensor([0., 1., -1., 2.]))
    return norm


def synchronised(rank):
    """Run three of six clips through a synchronised layer, twice."""
    results = {}
    for affine in (True, False):
        norm = layer(affine)
        set_bn_splits(convert_sub_batch_norm(norm), 1, dist.group.WORLD)
        for clips, weights in (joint_clips(), joint_clips()[::-1]):
            clips = (3 * clips[3 * rank:3 * rank + 3] + 1).requires_grad_()
            norm.zero_grad()
            output = norm(clips)
            (output * weights[3 * rank:3 * rank + 3]).sum().backward()
        results[affine] = dict(
            output=output.detach(),
            input_grad=clips.grad,
            grads=[parameter.grad for parameter in norm.parameters()],
            state=norm.state_dict(),
            evaluated=norm.eval()(clips).detach())
    return results


def test_synchronised_batch_norm_equals_the_joint_batch(ranks):
    """The variance in evaluation is unbiased."""
    for affine in (True, False):
        stock = layer(affine)
        for clips, weights in (joint_clips(), joint_clips()[::-1]):
            clips = (3 * clips + 1).requires_grad_()
            stock.zero_grad()
            output = stock(clips)
            (output * weights).sum().backward()
        found = [rank['layer'][affine] for rank in ranks]
        close = dict(rtol=1e-5, atol=1e-5)
        for key, expected in dict(
                output=output.detach(),
                input_grad=clips.grad,
                evaluated=stock.eval()(clips).detach()).items():
            torch.testing.assert_close(
                torch.cat([f[key] for f in found]), expected, **close)
        # Data-parallel training averages the ranks' parameter gradients;
        # here their sum is the joint batch's.
        for parameter, *grads in zip(stock.parameters(),
                                     *(f['grads'] for f in found)):
            torch.testing.assert_close(sum(grads), parameter.grad, **close)
        for f in found:
            torch.testing.assert_close(f['state'], stock.state_dict(), **close)


@MODELS.register_module(force=True)
class SynchronisedOnCPU(_BatchNormXd):
    """Norm in place of torch's, which DDP refuses on a CPU."""


def whole_run(folder, norm):
    """A toy run with groups of 8 clips.

    Coarse stages have splits, and fine ones share statistics.
    """
    RecordHook.records.clear()
    SplitsHook.seen.clear()
    cfg = on_two_processes(folder / norm, bn_base_size=8)
    cfg.model.backbone.norm = norm
    cfg.custom_hooks.append(dict(type='SplitsHook'))
    runner = Runner.from_cfg(apply_multigrid(cfg))
    runner.train()
    model = runner.model.module
    assert len(RecordHook.records) == runner.max_iters
    assert model.backbone.bn.process_group is not None
    return dict(
        records=list(RecordHook.records),
        path=folder / norm / 'epoch_5.pth',
        state=model.state_dict(),
        splits=dict(SplitsHook.seen))


def on_a_rank(rank, folder):
    SUB_CLASSES[SynchronisedOnCPU] = SubSyncBatchNorm
    return dict(
        layer=synchronised(rank),
        plain=whole_run(folder, 'BN3d'),
        synchronised=whole_run(folder, 'SynchronisedOnCPU'))


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    return in_two_processes(on_a_rank, tmp_path_factory.mktemp('two'))


def test_a_run_in_two_processes(ranks):
    first, second = (rank['plain'] for rank in ranks)
    for one, other in zip(first['records'], second['records']):
        assert not set(one.pop('indices')) & set(other.pop('indices'))
    assert first['records'] == second['records']
    for key, value in first['state'].items():
        if 'running' not in key:
            assert torch.equal(value, second['state'][key]), key
    assert first['splits'][8] == 2


def test_synchronised_layers_keep_the_clips_of_all_processes(ranks):
    """Base training has 2 clips on each process, which are 4."""
    for rank in ranks:
        # Of batches of 16, 8, 4 and 2 clips a process.
        assert rank['synchronised']['splits'] == {8: 4, 4: 2, 2: 1, 1: 1}


def test_resumed_on_one_process(ranks, tmp_path):
    """A batch of 1 x 4 can follow 2 x 2 clips, and 1 x 2 cannot."""
    cfg = base_config(tmp_path / 'run', batch_size=2, bn_base_size=8)
    cfg.resume, cfg.load_from = True, str(ranks[0]['plain']['path'])
    with pytest.raises(
            ValueError,
            match='batch_size x processes = 2: the '
            'checkpoint was trained with 4'):
        train(cfg)
    cfg.train_dataloader.batch_size = 4
    runner, resumed = train(cfg)
    straight = base_config(tmp_path, batch_size=4, bn_base_size=8)
    assert resumed == [r for r in train(straight)[1] if r['epoch'] >= 5]
    assert runner.iter == runner.max_iters
