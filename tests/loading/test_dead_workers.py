"""Train on files that crash their data worker, as on unreadable ones."""

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from mmaction_multigrid import register_transform_rule
from mmaction_multigrid.core.dataset import clip_shape, current_shape
from mmaction_multigrid.loading import prefetch, workers
from mmaction_multigrid.loading.broken import CrashedFile, ReplaceBrokenClips
from mmcv.transforms import BaseTransform
from torch.utils.data import DataLoader, get_worker_info

from mmaction.registry import TRANSFORMS
from ..engine.test_training import (assert_equal_weights, interrupted, log_of,
                                    train)
from ..toy import base_config

BAD = (5, 17, 40)
# The signal may break off torch while it takes a clip over from the worker:
# its socket is left to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    'ignore:unclosed:ResourceWarning',
    'ignore::pytest.PytestUnraisableExceptionWarning')


@TRANSFORMS.register_module()
class Crash(BaseTransform):
    """End the worker on some clips, as a decoder may, and log that."""

    def __init__(self,
                 clips,
                 log,
                 signal_name='SIGSEGV',
                 frames=None,
                 raises=False):
        self.signal = getattr(signal, signal_name)
        self.clips, self.log, self.frames = clips, log, frames
        self.raises = raises

    def transform(self, results):
        if results['clip'] not in self.clips or (
                self.frames and current_shape().num_frames != self.frames):
            return results
        if self.raises:
            raise OSError('no decoder opens this')
        assert get_worker_info() is not None, 'this would end the tests'
        with open(self.log, 'a') as file:
            file.write(f'{results["clip"]}\n')
        if self.signal != signal.SIGKILL:  # has no handler
            signal.signal(self.signal, signal.SIG_DFL)
        os.kill(os.getpid(), self.signal)
        raise AssertionError('the signal did not end the worker')


register_transform_rule('Crash', does_io=True)


def crashing(work_dir, **settings):
    cfg = base_config(work_dir, workers=settings.pop('workers', 2))
    cfg.model.cls_head.dropout_ratio = 0.5
    step = dict(
        type='Crash',
        clips=settings.pop('clips', BAD),
        log=str(work_dir) + '.crashes',
        **settings)
    cfg.train_dataloader.dataset.pipeline.insert(0, step)
    cfg.custom_hooks.append(dict(type='BadVideosHook', max_share=1))
    return cfg


def crashes(work_dir):
    return sorted(
        int(line)
        for line in Path(str(work_dir) + '.crashes').read_text().splitlines())


@pytest.fixture(scope='module')
def unreadable(tmp_path_factory):
    """Train while the files cannot be read; return folder and records."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp('unreadable')
    return folder, train(crashing(folder, raises=True, workers=0))[1]


@pytest.mark.parametrize(('name', 'workers', 'persistent'),
                         [('SIGSEGV', 2, True), ('SIGABRT', 1, False)])
def test_a_crash_counts_as_an_unreadable_file(unreadable, tmp_path, name,
                                              workers, persistent):
    """Batches, lr and weights are the same, and each file crashes once."""
    cfg = crashing(tmp_path / 'run', signal_name=name, workers=workers)
    cfg.train_dataloader.persistent_workers = persistent
    _, records = train(cfg)
    assert records == unreadable[1]
    assert_equal_weights(unreadable[0], tmp_path / 'run')
    assert crashes(tmp_path / 'run') == list(BAD)
    report = (tmp_path / 'run' / 'bad_videos.txt').read_text()
    lines = [line.split('\t') for line in report.splitlines()]
    error = 'CrashedFile: ended the process that opened it'
    assert {tuple(line)
            for line in lines} == {(f'clip {clip}', error)
                                   for clip in BAD}
    # Each is replaced in most of the 9 epochs, which drop some clips.
    found = (tmp_path / 'run' / 'bad_videos.rank0.txt').read_text()
    assert all(found.count(f'clip {clip}\t') >= 4 for clip in BAD)
    log = log_of(tmp_path)
    for clip in BAD:
        assert log.count(f'clip {clip}: ended the data worker') == 1


def test_resumed_after_crashes(unreadable, tmp_path):
    """Files that crashed before are not opened again."""
    assert interrupted(crashing(tmp_path / 'run'), 8) == unreadable[1]
    assert_equal_weights(unreadable[0], tmp_path / 'run')
    assert crashes(tmp_path / 'run') == list(BAD)


def test_too_many_crashes_end_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(prefetch, 'MAX_CRASHES', 4)
    with pytest.raises(RuntimeError, match='DataLoader worker'):
        train(crashing(tmp_path / 'run', clips=range(64)))
    assert len(crashes(tmp_path / 'run')) >= 4


@pytest.mark.parametrize('name', ['SIGKILL', 'SIGBUS'])
def test_other_deaths_end_the_run(tmp_path, name):
    """Full memory and full shared memory are no fault of a file."""
    cfg = crashing(tmp_path / 'run', workers=1, signal_name=name)
    with pytest.raises(RuntimeError, match='DataLoader worker'):
        train(cfg)
    assert not list((tmp_path / 'run').glob('bad_videos*'))


class Sleepers(torch.utils.data.Dataset):

    def __len__(self):
        return 100

    def __getitem__(self, index):
        time.sleep(0.01)
        return index


def kill(pid):
    """Kill a worker, and leave its exit code to torch's handler."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    time.sleep(0.1)


@pytest.fixture
def sleepers():
    """Make an iterator of one worker."""
    iterator = iter(DataLoader(Sleepers(), num_workers=1))
    before = signal.getsignal(signal.SIGCHLD)
    yield iterator
    assert signal.getsignal(signal.SIGCHLD) is before
    iterator._shutdown_workers()


def test_a_crash_is_raised_after_the_step(sleepers):
    """Torch's own handler would raise inside the step."""
    with workers.DeferredSigchld() as deaths:
        assert deaths.next(sleepers).item() == 0
        kill(sleepers._workers[0].pid)
        with pytest.raises(RuntimeError, match='is killed by signal'):
            deaths.next(sleepers)


def test_other_children_may_end(sleepers):
    with workers.DeferredSigchld() as deaths:
        subprocess.run(['true'], check=True)
        assert [deaths.next(sleepers).item() for _ in range(3)] == [0, 1, 2]


def test_out_of_the_main_thread():
    """Python handles signals in the main thread only."""
    loader = DataLoader(Sleepers(), num_workers=0)
    found = []

    def count():
        with workers.DeferredSigchld() as deaths:
            found.append(deaths.next(iter(loader)).item())

    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
    assert found == [0]


class Numbers(torch.utils.data.Dataset):
    """Files with unusual names."""
    names = ['a b\tc.mp4', 'über.mp4', 'fine.mp4']

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        return index

    def get_data_info(self, index):
        return dict(filename=self.names[index])


def test_crashes_are_kept_with_their_epoch(tmp_path):
    """Names may be unusual, and a kill may cut the last line off."""
    report = tmp_path / 'bad_videos.rank0.txt'

    def opened(data, epoch):
        """Return the files that are opened in an epoch."""
        found = []
        for index in range(len(data)):
            with clip_shape(None, epoch), suppress(CrashedFile):
                found.append(data._load(index))
        return found

    data = ReplaceBrokenClips(Numbers())
    data.watch(1, str(report))
    for index, epoch in ((0, 3), (1, 5), (1, 4)):  # workers may be ahead
        data._state._rows[0, 2:] = torch.tensor([epoch, index])
        assert data.leave_out(0) == Numbers.names[index]
        assert data.leave_out(0) is None
    with open(report, 'a') as file:
        file.write('fine.mp4\tCrashedFile: \tleft out from epoch')
    resumed = ReplaceBrokenClips(Numbers())
    resumed.watch(1, str(report))
    for kept in (data, resumed):
        assert [opened(kept, epoch) for epoch in (2, 3, 4)] == [[0, 1, 2],
                                                                [1, 2], [2]]
