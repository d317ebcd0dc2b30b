"""Resumed on other machines, started from other checkpoints: the right lr and epochs, or a refusal."""

import json
import shutil

import pytest
import torch
from mmengine.runner import Runner

from mmaction_multigrid import apply_multigrid, multigrid_schedule

from ..toy import RecordHook, base_config, new_name
from .test_training import last_weights, train
from .test_two_processes import in_two_processes


def run(cfg):
    RecordHook.records.clear()
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.train()
    return runner, list(RecordHook.records)


def plain_config(work_dir):
    cfg = base_config(work_dir)
    for key in ('multigrid', 'runner_type'):
        cfg.pop(key)
    return cfg


def break_off(cfg, epoch):
    cfg.custom_hooks.append(dict(type='StopHook', epoch=epoch))
    with pytest.raises(KeyboardInterrupt):
        run(cfg)
    return list(RecordHook.records)


def two_processes(rank, folder, epoch=5):
    """Broken off in epoch 5, in two processes of 2 clips each."""
    cfg = base_config(folder / 'run')
    cfg.launcher = 'pytorch'
    cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    cfg.experiment_name = 'elsewhere'
    cfg.custom_hooks.append(dict(type='StopHook', epoch=epoch))
    try:
        Runner.from_cfg(apply_multigrid(cfg)).train()
    except KeyboardInterrupt:
        return True
    return False


@pytest.fixture(scope='module')
def broken_off_in_two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('two')
    assert all(in_two_processes(two_processes, folder))
    return folder / 'run'


@pytest.mark.parametrize(('batch_size', 'scale'), [(4, False), (2, True), (2, False)])
def test_from_two_processes_to_one(tmp_path, broken_off_in_two_processes, batch_size, scale):
    """2 x 2 clips go on as 1 x 4; as 1 x 2 at half the lr if auto_scale_lr says so, and not otherwise."""
    shutil.copytree(broken_off_in_two_processes, tmp_path / 'run')
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / 'epoch_5.pth'))
    cfg = base_config(tmp_path / 'run', batch_size=batch_size)
    cfg.resume = True
    if scale:
        cfg.auto_scale_lr = dict(enable=True, base_batch_size=4)
    if batch_size == 2 and not scale:
        with pytest.raises(ValueError, match='batch_size x processes = 2: the checkpoint was trained with 4'):
            run(cfg)
        return
    runner, resumed = run(cfg)
    straight = base_config(tmp_path / 'straight', batch_size=batch_size)
    straight.auto_scale_lr = cfg.get('auto_scale_lr')
    expected = run(straight)[1]
    assert resumed == [record for record in expected if record['epoch'] >= 5]
    assert resumed[0]['lr'] != 0.01
    assert runner.iter == runner.max_iters


@pytest.mark.parametrize('epoch', [1, 4, 7])
def test_another_batch_per_gpu(tmp_path, epoch):
    """Counts, shapes, clips and lr of what is left are those of a run that had this batch all along."""
    cfg = base_config(tmp_path / 'run', batch_size=4)
    cfg.auto_scale_lr = dict(enable=True, base_batch_size=4)
    assert break_off(cfg, epoch)[0]['batch'] == 64  # the first stage has 16 times the base batch
    cfg.custom_hooks.pop()
    cfg.resume, cfg.train_dataloader.batch_size = True, 2
    runner, resumed = run(cfg)
    straight = base_config(tmp_path / 'straight', batch_size=2)
    straight.auto_scale_lr = dict(enable=True, base_batch_size=4)
    expected = [record for record in run(straight)[1] if record['epoch'] >= epoch]
    assert resumed == expected
    schedule, _ = multigrid_schedule(cfg)
    assert resumed[-1]['lr'] == pytest.approx(0.005 * schedule.lr(schedule.max_epochs - 1e-9), rel=0.01)
    assert runner.iter == runner.max_iters
    checkpoint = torch.load(tmp_path / 'run' / f'epoch_{schedule.max_epochs}.pth', weights_only=False)
    assert checkpoint['meta']['multigrid']['bn_base_size'] == 4  # norm statistics are over what they began with


def test_from_a_baseline_checkpoint(tmp_path):
    """The first batch of multigrid sees the weights that plain training ended with; schedule and lr start anew."""
    plain = plain_config(tmp_path / 'plain')
    train(plain, resolve=False)
    weights = last_weights(tmp_path / 'plain')
    cfg = base_config(tmp_path / 'multigrid')
    cfg.load_from = str(tmp_path / 'plain' / 'epoch_6.pth')
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.load_or_resume()
    for key, value in runner.model.state_dict().items():
        assert torch.equal(value, weights[key]), key
    expected = run(base_config(tmp_path / 'fresh'))[1]
    assert run(cfg)[1] == expected


@pytest.mark.parametrize('epoch', [2, 5, 9])
def test_a_checkpoint_of_any_stage_goes_into_the_plain_config(tmp_path, epoch):
    """Strictly, into the stock Runner, which trains on with it as if it were its own."""
    runner, _ = run(base_config(tmp_path / 'multigrid'))
    path = tmp_path / 'multigrid' / f'epoch_{epoch}.pth'
    assert path.is_file(), sorted(runner.train_loop.eval_epochs)
    plain = plain_config(tmp_path / 'plain')
    plain.load_from = str(path)
    runner = Runner.from_cfg(new_name(plain))
    runner.load_or_resume()
    saved = torch.load(path, weights_only=False)['state_dict']
    assert runner.model.state_dict().keys() == saved.keys()
    for key, value in runner.model.state_dict().items():
        assert torch.equal(value, saved[key]), key
    runner.train()
    assert runner.epoch == 6
    scalars = [json.loads(line) for file in (tmp_path / 'plain').rglob('scalars.json')
               for line in file.read_text().splitlines()]
    assert all(entry['loss'] < 10 for entry in scalars if 'loss' in entry)
