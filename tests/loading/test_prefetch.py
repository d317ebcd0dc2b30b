"""Load batches ahead across epochs, stages, precise BN and validation."""

import multiprocessing
import signal
import time
from types import SimpleNamespace

import pytest
import torch
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.batch_sampler import (PRECISE_BN, TRAIN,
                                                   MultigridBatchSampler)
from mmaction_multigrid.core.dataset import MultigridDataset
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.loading.broken import ReplaceBrokenClips
from mmaction_multigrid.loading.prefetch import PrefetchHook, PrefetchLoader
from mmengine.dataset import DefaultSampler, pseudo_collate
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from torch.utils.data import DataLoader, get_worker_info

from mmaction.registry import HOOKS
from ..engine.test_training import undisturbed  # noqa: F401
from ..engine.test_training import (assert_equal_weights, log_of, train,
                                    with_dropout)
from ..toy import RecordHook, base_config
from .test_dead_workers import crashes, crashing


def wait_for(condition, seconds=30):
    """Wait until a condition is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not happen'
        time.sleep(0.01)


@pytest.fixture
def starts(monkeypatch):
    """Record the first batches of loaders that are started."""
    found, start = [], PrefetchLoader._start

    def spy(self, batch):
        found.append((batch.epoch, batch.number))
        start(self, batch)

    monkeypatch.setattr(PrefetchLoader, '_start', spy)
    return found


@HOOKS.register_module()
class AheadHook(Hook):
    """Wait at the end of an epoch until workers are ahead."""
    priority = 'LOWEST'

    def __init__(self, precise_batches):
        self.precise_clips = 2 * precise_batches
        self.taken = 0

    def after_train_epoch(self, runner):
        loop = runner.train_loop
        self.taken += sum(record['batch'] for record in RecordHook.records
                          if record['epoch'] == runner.epoch)
        self.taken += self.precise_clips * loop.is_eval_epoch(runner.epoch + 1)
        if runner.epoch + 1 < runner.max_epochs:
            wait_for(lambda: loop.dataloader.dataset.tries[0] > self.taken)

    def after_train(self, runner):
        assert runner.train_loop.dataloader.dataset.tries[0] == self.taken


def test_workers_load_the_next_epoch_ahead(
        undisturbed,  # noqa: F811
        tmp_path,
        starts):
    """Every clip that is loaded is used, and is loaded once."""
    cfg = with_dropout(tmp_path, workers=2)
    cfg.custom_hooks.append(dict(type='AheadHook', precise_batches=2))
    assert train(cfg)[1] == undisturbed.records
    assert starts == [(0, 0)]
    assert_equal_weights(undisturbed.folder, tmp_path)


STAGED = dict(stages=[dict(epochs=2, num_frames=4), dict(epochs=2)])


def test_a_model_without_batch_norm_is_not_waited_for(tmp_path, starts):
    cfg = base_config(tmp_path, workers=1, **STAGED)
    cfg.model.backbone.norm = 'IN3d'
    train(cfg)
    assert starts == [(0, 0)]
    log = log_of(tmp_path)
    for number in (1, 2):
        assert f'stage {number}/2 is trained: waiting for data' in log


def test_the_share_of_waiting():
    """The stage has the last four of six iterations."""
    lines = []
    stage = SimpleNamespace(begin=1, end=3)
    times = dict(data_time=[9, 9] + [0.4] * 4, time=[9, 9, 1, 1, 1, 1])
    runner = SimpleNamespace(
        epoch=2,
        logger=SimpleNamespace(info=lines.append),
        message_hub=SimpleNamespace(
            log_scalars={
                f'train/{name}': HistoryBuffer(values, [1] * 6)
                for name, values in times.items()
            }),
        train_loop=SimpleNamespace(
            first_iters=[0, 2, 4, 6],
            batch_sampler=SimpleNamespace(stage=stage, stages=[None, stage])))
    PrefetchHook().after_train_epoch(runner)
    text, = lines
    assert text == ('Multigrid stage 2/2 is trained: waiting for data '
                    '40 % of 4 s')
    runner.message_hub.log_scalars.clear()
    PrefetchHook().after_train_epoch(runner)  # without IterTimerHook
    assert len(lines) == 1


@HOOKS.register_module()
class StopTrainingHook(Hook):
    """Stop training early."""

    def after_train_epoch(self, runner):
        runner.train_loop.stop_training = runner.epoch == 2


@pytest.mark.parametrize('persistent', [True, False])
def test_early_stopping(tmp_path, persistent):
    """Batches that were loaded ahead are dropped."""
    before = set(multiprocessing.active_children())
    cfg = apply_multigrid(base_config(tmp_path, workers=1, **STAGED))
    cfg.train_dataloader.persistent_workers = persistent
    cfg.custom_hooks.append(dict(type='StopTrainingHook'))
    runner, records = train(cfg, resolve=False)
    assert records[-1]['epoch'] == 2
    assert runner.epoch == 3
    assert callable(signal.getsignal(signal.SIGCHLD))  # torch's
    wait_for(lambda: not set(multiprocessing.active_children()) - before)


@HOOKS.register_module()
class ValidateBesideCrashHook(Hook):
    """Validate when a worker has crashed."""

    def __init__(self, log):
        self.log = log

    def before_val_epoch(self, runner):
        if runner.epoch == 2:
            wait_for(lambda: crashes(self.log))
            time.sleep(0.2)  # the worker is dead, too


# Torch may be broken off while it takes a clip over from the worker, or looks
# for file handles that are left: the collector closes what is open.
@pytest.mark.filterwarnings('ignore:unclosed:ResourceWarning',
                            'ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_worker_crashes_during_validation(tmp_path):
    """Its file, of the next epoch, counts as unreadable from then on."""
    _, records = train(base_config(tmp_path / 'fine', **STAGED))
    first = next(record['indices'][0] for record in records
                 if record['epoch'] == 2)

    def cfg(name, **settings):
        cfg = crashing(tmp_path / name, clips=[first], frames=8, **settings)
        cfg.multigrid.update(precise_bn=0, **STAGED)
        return cfg

    _, expected = train(cfg('unreadable', raises=True, workers=0))
    run = cfg('run')
    (tmp_path / 'run.crashes').touch()
    run.custom_hooks.append(
        dict(type='ValidateBesideCrashHook', log=str(tmp_path / 'run')))
    assert train(run)[1] == expected
    assert_equal_weights(tmp_path / 'unreadable', tmp_path / 'run')
    assert (tmp_path / 'run' / 'bad_videos.rank0.txt').read_text().startswith(
        f'clip {first}\tCrashedFile: ended the process that opened it\t'
        'left out from epoch 2 on\n')


class Numbers:
    """Clips that are their index and a random number."""

    def __len__(self):
        return 24

    def __getitem__(self, index):
        return index, int(torch.randint(10**6, ()))


class Worker(Numbers):
    """Clips that are the number of the worker that loads them."""

    def __getitem__(self, index):
        return get_worker_info().id


STAGES = [
    dict(epochs=1, shapes=[(4, 4, 8), (2, 4, 11)]),
    dict(epochs=3, shapes=[(1, 8, 16)])
]


def loader_of(workers, clips=Numbers, collate_fn=pseudo_collate, **options):
    data = MultigridDataset(ReplaceBrokenClips(clips()), (8, 16))
    data.watch(workers)
    batch_sampler = MultigridBatchSampler(
        DefaultSampler(range(24), seed=1), 2, STAGES)
    batch_sampler.set_precise_bn(1, Shape(1, 8, 16), 3)
    return PrefetchLoader(
        DataLoader(
            data,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=collate_fn,
            batch_sampler=batch_sampler,
            **options))


def take(loader, epoch, purpose=TRAIN, count=None):
    """Return the first batches of an epoch."""
    loader.sampler.set_epoch(epoch)
    loader.dataloader.dataset.set_epoch(5, epoch)
    batches = loader.take(epoch, purpose)
    found = [next(batches) for _ in range(count)] if count else list(batches)
    batches.close()
    return found


@pytest.mark.parametrize(
    'asked',
    [
        [(0, ), (1, ), (1, PRECISE_BN), (2, )],
        [(0, ), (1, ), (2, )],  # precise BN is left out
        [(2, ), (0, ), (0, )],
        [(0, TRAIN, 1), (1, TRAIN, 3), (1, )],  # broken off
        [(3, ), (1, PRECISE_BN, 1), (1, PRECISE_BN)],
    ],
    ids=str)
@pytest.mark.parametrize('prefetch', [1, 9])
def test_batches_in_any_order(asked, prefetch):
    with loader_of(0) as alone:
        expected = [take(alone, *what) for what in asked]
    with loader_of(2, prefetch_factor=prefetch) as loader:
        assert [take(loader, *what) for what in asked] == expected
    loader.dataloader._iterator._shutdown_workers()


def test_a_restart_draws_no_random_number():
    with loader_of(0) as loader:
        before = torch.get_rng_state()
        take(loader, 0)
        take(loader, 3)
    assert torch.equal(torch.get_rng_state(), before)


def count_workers(clips):
    """Return the clips of a batch and the workers that loaded them."""
    assert get_worker_info() is None
    return len(clips), len(set(clips))


def test_all_workers_load_a_coarse_batch():
    """The collate function gets the whole batch."""
    with loader_of(2, Worker, count_workers) as loader:
        assert take(loader, 0) == [(8, 2), (4, 2), (8, 2), (4, 2)]
        # The base batch is loaded by one.
        assert take(loader, 1) == [(2, 1)] * 12
    loader.dataloader._iterator._shutdown_workers()


def test_a_dead_worker_of_the_validation_ends_the_run(tmp_path):
    """The validation loader looks for it every five seconds."""
    cfg = base_config(tmp_path, workers=1)
    cfg.val_dataloader.dataset.pipeline.insert(
        0,
        dict(
            type='Crash',
            clips=[0],
            log=str(tmp_path / 'crashes'),
            signal_name='SIGKILL'))
    with pytest.raises(RuntimeError, match='exited unexpectedly'):
        train(cfg)
    assert callable(signal.getsignal(signal.SIGCHLD))  # torch's
