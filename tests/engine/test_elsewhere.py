"""Resume with other batches, and start from other checkpoints."""

import pytest
import torch
from mmaction_multigrid import multigrid_schedule
from mmengine.runner import Runner

from ..toy import base_config, new_name
from .test_training import train, undisturbed  # noqa: F401


def plain_config(work_dir):
    cfg = base_config(work_dir)
    cfg.pop('multigrid')
    cfg.pop('runner_type')
    cfg.train_cfg.max_epochs = 1
    return cfg


def test_another_batch_per_gpu(tmp_path):
    """The rest is as in a run with this batch from the start."""

    def config(name, batch_size):
        cfg = base_config(tmp_path / name, batch_size=batch_size)
        cfg.auto_scale_lr = dict(enable=True, base_batch_size=4)
        return cfg

    cfg = config('run', 4)
    cfg.custom_hooks.append(dict(type='StopHook', epoch=4))
    with pytest.raises(KeyboardInterrupt):
        train(cfg)
    cfg = config('run', 2)
    cfg.resume = True
    runner, resumed = train(cfg)
    _, straight = train(config('straight', 2))
    assert resumed == [r for r in straight if r['epoch'] >= 4]
    schedule, _ = multigrid_schedule(cfg)
    lr = 0.005 * schedule.lr(schedule.max_epochs - 1e-9)
    assert resumed[-1]['lr'] == pytest.approx(lr, rel=0.01)
    assert runner.iter == runner.max_iters
    path = tmp_path / 'run' / f'epoch_{schedule.max_epochs}.pth'
    meta = torch.load(path, weights_only=False)['meta']
    # Statistics of norms are over what they began with.
    assert meta['multigrid']['bn_base_size'] == 4


def test_a_checkpoint_goes_into_the_plain_config(
        undisturbed,  # noqa: F811
        tmp_path):
    """The stock Runner goes on with it."""
    plain = plain_config(tmp_path)
    plain.load_from = str(undisturbed.folder / 'epoch_2.pth')
    runner = Runner.from_cfg(new_name(plain))
    runner.load_or_resume()
    saved = torch.load(plain.load_from, weights_only=False)['state_dict']
    torch.testing.assert_close(
        runner.model.state_dict(), saved, rtol=0, atol=0)
    runner.train()
    assert runner.epoch == 1
