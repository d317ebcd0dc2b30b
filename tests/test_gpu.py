"""What a CPU cannot show: the same numbers, training, mixed precision and
memory on a GPU.

Run by ``make test-gpu`` on a machine that has one; left out elsewhere.
"""

import pytest
import torch
import torch.distributed as dist
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.batch_norm import (convert_sub_batch_norm,
                                                set_bn_splits)
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.profiling.steps import profile_steps
from mmengine.runner import Runner
from torch import nn

from .core.batches import seeded_batches
from .small import scalars
from .toy import base_config, new_name

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason='no GPU on this machine')


def trained(cfg, work_dir, **changes):
    """Train; return the weights on the CPU and the losses."""
    cfg = cfg.copy()
    cfg.update(work_dir=str(work_dir), **changes)
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.train()
    weights = runner.model.state_dict()
    assert all(value.is_cuda for value in weights.values())
    losses = [entry['loss'] for entry in scalars(work_dir)]
    return {name: value.cpu() for name, value in weights.items()}, losses


@pytest.mark.parametrize('splits', [1, 4])
@pytest.mark.parametrize(
    'memory_format', [torch.contiguous_format, torch.channels_last_3d],
    ids=str)
def test_sub_batch_norm_equals_the_cpus(splits, memory_format):
    """With one split it equals the stock layer."""
    results = []
    for device in ('cpu', 'cuda'):
        layer = nn.BatchNorm3d(5)
        convert_sub_batch_norm(layer)
        layer.num_splits = splits
        layer.to(device)
        x = seeded_batches(0, (8, 5, 2, 3, 3))[0].to(device).to(
            memory_format=memory_format).requires_grad_()
        layer(x).square().sum().backward()
        results.append([
            tensor.detach().cpu()
            for tensor in (x.grad, layer.weight.grad, layer.running_var)
        ])
    for cpu, gpu in zip(*results):
        torch.testing.assert_close(gpu, cpu, rtol=1e-4, atol=1e-5)
    if splits == 1:
        assert torch.equal(nn.BatchNorm3d(5).cuda()(x), layer(x))


def _synchronised(rank, folder, dtype):
    """Run half of eight clips through a synchronised layer."""
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    layer = nn.BatchNorm3d(5).cuda()
    set_bn_splits(convert_sub_batch_norm(layer), 1, dist.group.WORLD)
    x = seeded_batches(0, (8, 5, 2, 3, 3))[0][4 * rank:4 * rank +
                                              4].cuda().requires_grad_()
    with torch.autocast('cuda', dtype=dtype, enabled=dtype != torch.float32):
        output = layer(x.to(dtype))
    output.float().square().sum().backward()
    torch.save([output.detach().cpu(),
                x.grad.cpu(),
                layer.running_var.cpu()], f'{folder}/{rank}.pt')
    dist.destroy_process_group()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16], ids=str)
def test_synchronised_statistics_equal_the_joint_batchs(tmp_path, dtype):
    torch.multiprocessing.spawn(
        _synchronised, (str(tmp_path), dtype), nprocs=2)
    stock = nn.BatchNorm3d(5).cuda()
    x = seeded_batches(0, (8, 5, 2, 3, 3))[0].cuda().requires_grad_()
    output = stock(x)
    output.square().sum().backward()
    parts = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    tolerance = (
        dict(rtol=1e-4, atol=1e-5) if dtype == torch.float32 else dict(
            rtol=1e-2, atol=1e-2))
    assert parts[0][0].dtype == dtype
    torch.testing.assert_close(
        torch.cat([part[0] for part in parts]).float(),
        output.detach().cpu(), **tolerance)
    torch.testing.assert_close(
        torch.cat([part[1] for part in parts]), x.grad.cpu(), **tolerance)
    for part in parts:
        torch.testing.assert_close(part[2], stock.running_var.cpu(),
                                   **tolerance)


def test_a_run_learns_and_resumes(tmp_path):
    """Straight and resumed weights are close."""
    cfg = base_config(tmp_path, workers=2)
    cfg.custom_hooks.append(dict(type='StopHook', epoch=4))
    with pytest.raises(KeyboardInterrupt):
        trained(cfg, tmp_path / 'resumed')
    del cfg.custom_hooks[-1]
    straight, losses = trained(cfg, tmp_path / 'straight')
    resumed, _ = trained(cfg, tmp_path / 'resumed', resume=True)
    assert sum(losses[-5:]) < sum(losses[:5])
    for name, value in straight.items():
        torch.testing.assert_close(
            resumed[name], value, rtol=1e-2, atol=1e-3, msg=name)


@pytest.mark.parametrize(
    'wrapper', [
        dict(type='AmpOptimWrapper'),
        dict(type='BFloat16OptimWrapper'),
    ],
    ids=str)
def test_mixed_precision_learns_as_single_precision(tmp_path, wrapper):
    cfg = base_config(tmp_path)
    plain, _ = trained(cfg, tmp_path / 'plain')
    cfg.optim_wrapper.update(wrapper)
    mixed, losses = trained(cfg, tmp_path / 'mixed')
    assert all(torch.isfinite(value).all() for value in mixed.values())
    assert sum(losses[-5:]) < sum(losses[:5])
    # it is another precision
    assert not torch.equal(mixed['backbone.conv.weight'],
                           plain['backbone.conv.weight'])
    torch.testing.assert_close(
        mixed['backbone.bn.running_mean'],
        plain['backbone.bn.running_mean'],
        rtol=.1,
        atol=.05)


def test_every_shape_takes_as_much_memory():
    """Coarse batches are larger, and need the memory of the base batch."""
    model = base_config('unused').model
    model.backbone.channels, model.cls_head.in_channels = 32, 32
    shapes = [Shape(1, 16, 112), Shape(4, 16, 56), Shape(8, 8, 56)]
    probes = list(profile_steps(model, shapes, 4, device='cuda'))
    assert [probe.error for probe in probes] == [None] * 3
    base = probes[0].peak_memory
    assert base > 2**20
    assert [probe.peak_memory / base for probe in probes] == pytest.approx(
        [1.] * 3, rel=.1)
