"""Building a grid store: what breaks it off, who builds it, and that it ends the same to the byte."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from mmengine.config import Config

from mmaction_multigrid.frame_store import build as tool
from mmaction_multigrid.frame_store import copying, log
from mmaction_multigrid.frame_store.copying import Settings
from mmaction_multigrid.frame_store.index import Index
from mmaction_multigrid.frame_store.info import check_store, store_info
from mmaction_multigrid.frame_store.sizes import sides_of
from mmaction_multigrid.frame_store.sources import (
    Source,
    digest_of,
    source_of,
    sources_in,
)

from ..videos import encode

BUILD = ('-m', 'mmaction_multigrid', 'store', 'build')
NAMES = [f'{i % 2}/{i}.mp4' for i in range(5)]


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Five videos of 8 to 12 frames in two folders, and one that is broken."""
    folder = tmp_path_factory.mktemp('videos')
    for i, name in enumerate(NAMES):
        (folder / name).parent.mkdir(exist_ok=True)
        encode(folder / name, 8 + i, 64, 48)
    (folder / 'bad.mp4').write_bytes(b'no video')
    return folder


def sources(folder, names=(*NAMES, 'bad.mp4')):
    return [source_of(dict(filename=str(folder / name)), str(folder), 'decord') for name in names]


def make(folder, out, names=(*NAMES, 'bad.mp4'), part=(1, 1), **settings):
    return tool.build(sources(folder, names), out, Settings(**{'sides': (32, 16), **settings}), processes=1, part=part)


def names_of(keys):
    return [key.rpartition('.')[0] for key in keys]


def tree(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob('*')) if path.is_file()}


@pytest.fixture(scope='module')
def whole(tmp_path_factory, videos):
    """What a build at once leaves behind."""
    out = tmp_path_factory.mktemp('whole') / 'store'
    result = make(videos, out)
    assert (result['videos'], names_of(result['failed']),
            result['finished']) == (5, ['bad.mp4'], True)
    assert result['bytes'] == sum(path.stat().st_size for path in out.rglob('*.avi'))
    assert not list(out.rglob('*.part'))
    assert not (out / 'log').exists()
    return tree(out)


def in_a_child(function):
    """Run a function in a process of its own; whether it came to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


STEPS = ((os, 'replace'), (os, 'fsync'), (tool, 'to_line'), (log, '_write_failed'), (copying.Writer, 'write'))


@pytest.mark.parametrize('step', range(len(STEPS)), ids=[name for _, name in STEPS])
def test_a_build_that_is_killed_anywhere_ends_as_one_that_is_not(tmp_path, videos, whole, step):
    """It is killed at the first, the second, ... call of a function that writes, until it comes to its end."""
    owner, name = STEPS[step]
    real, stride = getattr(owner, name), 17 if name == 'write' else 1
    for number in range(1, 1000, stride):
        out, calls = tmp_path / str(number), []

        def killed(*args, calls=calls, number=number, **kwargs):
            calls.append(1)
            if len(calls) == number:
                os._exit(9)  # nothing is flushed, closed or cleaned up
            return real(*args, **kwargs)

        def killed_build(out=out, killed=killed):
            setattr(owner, name, killed)
            make(videos, out)

        finished = in_a_child(killed_build)
        if not finished:
            with open(next(iter((out / 'log').glob('*')), out / 'grid_store.json.part'), 'ab') as file:
                file.write(b'["half a line')
        make(videos, out)
        assert tree(out) == whole
        if finished:
            assert number > stride  # it was killed at all
            return


def test_a_build_that_is_killed_at_some_time(tmp_path, videos, whole):
    """By a signal, with several processes at work; their ends come with their parent's."""
    list_file = tmp_path / 'list.txt'
    list_file.write_text(''.join(f'{name} 0\n' for name in (*NAMES, 'bad.mp4')))
    command = [sys.executable, *BUILD, str(list_file), str(tmp_path / 'store'), '--root', str(videos), '--sides', '16',
               '32', '--processes', '2']
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    for _ in range(600):
        if list(tmp_path.rglob('*.jsonl')) or process.poll() is not None:
            break
        time.sleep(0.05)
    time.sleep(random.Random(0).random())
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    make(videos, tmp_path / 'store')
    assert tree(tmp_path / 'store') == whole


def test_only_what_is_missing_or_has_changed_is_copied(tmp_path, videos):
    make(videos, tmp_path / 'out', NAMES[:3])
    out, before = tmp_path / 'out', tree(tmp_path / 'out')
    times = {path: path.stat().st_mtime_ns for path in out.rglob('*.avi')}
    lost, = (out / '16').glob(f'{NAMES[0]}.*.avi')
    lost.unlink()
    with pytest.raises(StopIteration):  # as it is
        next(answer for path, answer in check_store(out) if answer not in ('fine', 'is missing'))
    result = make(videos, out, NAMES)  # two more
    assert result['videos'] == 5
    assert lost.read_bytes() == before[str(lost.relative_to(out))]
    folder = lost.relative_to(out / '16')
    assert {path
            for path in times if path.stat().st_mtime_ns != times[path]
            } == {out / str(side) / folder
                  for side in (16, 32)}
    assert {answer for _, answer in check_store(out)} == {'fine'}


@pytest.mark.parametrize('order', [(1, 2), (2, 1)])
def test_parts_make_the_whole(tmp_path, videos, whole, order):
    assert not make(videos, tmp_path / 'store', part=(order[0], 2))['finished']
    assert store_info(tmp_path / 'store')['logged'] in (2, 3)
    assert not store_info(tmp_path / 'store')['finished']
    result = make(videos, tmp_path / 'store', part=(order[1], 2))
    assert (result['finished'], result['videos'],
            names_of(result['failed'])) == (True, 5, ['bad.mp4'])
    assert tree(tmp_path / 'store') == whole
    assert make(videos, tmp_path / 'store', part=(1, 2))['finished']
    assert tree(tmp_path / 'store') == whole


def test_one_part_at_a_time(tmp_path, videos):
    make(videos, tmp_path / 'store', part=(1, 2))
    with log.open_log(tmp_path / 'store', (2, 2)):
        with pytest.raises(ValueError, match='another process is building its part 2/2'):
            make(videos, tmp_path / 'store', part=(2, 2))
        assert not make(videos, tmp_path / 'store')['finished']  # the other is still to tell
    assert make(videos, tmp_path / 'store')['finished']


def end_process(source):
    """Work that ends its process at one video, as decord does."""
    if source.name == 'fatal.mp4':
        os.kill(os.getpid(), signal.SIGSEGV)
    return copying.Result(source.key, None, 'tried', 0.)


def test_a_video_that_ends_its_process_is_listed():
    names = ['fatal.mp4', 'fine.mp4']
    results = list(copying.run(end_process, [Source(name, name) for name in names], 2))
    assert set(names_of(result.key for result in results)) == set(names)
    assert [result.error for result in results if result.error != 'tried'
            ] == ['fatal.mp4: crash: it ended the process that read it']


def test_broken_originals_are_listed_and_tried_again(tmp_path, videos):
    names = [NAMES[0], 'bad.mp4', 'gone.mp4']
    for _ in range(2):
        result = make(videos, tmp_path / 'out', names)
        assert result['videos'] == 1
        lines = (tmp_path / 'out' / 'failed.txt').read_text().splitlines()
        assert [line.split('\t')[0]
                for line in lines] == sorted(result['failed'])
        assert names_of(sorted(result['failed'])) == ['bad.mp4', 'gone.mp4']
        assert f'\t{videos}/bad.mp4: ' in lines[0]
    assert len(list(tmp_path.rglob('*.avi'))) == 2
    assert make(videos, tmp_path / 'none', ['bad.mp4'])['videos'] == 0
    with pytest.raises(ValueError, match='is not finished'):
        Index(str(tmp_path / 'none'))


def test_a_disk_that_gets_full_ends_the_build(tmp_path, videos, whole, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file, self.left = file, 3000

        def write(self, data):
            self.left -= len(data)
            if self.left < 0:
                raise OSError(errno.ENOSPC, 'No space left on device')
            return self.file.write(data)

        def __getattr__(self, name):
            return getattr(self.file, name)

    monkeypatch.setattr('mmaction_multigrid.frame_store.avi.open', lambda *args: Full(open(*args)),  # noqa: SIM115
                        raising=False)
    with pytest.raises(OSError, match='No space left'):
        make(videos, tmp_path / 'store')
    assert not list(tmp_path.rglob('*.avi*'))
    monkeypatch.undo()
    make(videos, tmp_path / 'store')
    assert tree(tmp_path / 'store') == whole


def test_a_file_is_told_from_another_by_blocks_all_over_it(tmp_path):
    content = bytearray(2**18)
    paths = [tmp_path / str(i) for i in range(5)]
    for path, place in zip(
            paths, (0, 2**18 // 3, 2**18 * 2 // 3 - 10, 2**18 - 1, None)):
        path.write_bytes(
            bytes(byte or i == place for i, byte in enumerate(content)))
    sources = [
        Source('a.mp4', str(path), reader) for path in paths
        for reader in ('decord', 'pyav')
    ]
    assert len({digest_of(source) for source in sources}) == 10


def test_what_is_refused(tmp_path, videos, monkeypatch):
    make(videos, tmp_path / 'out', NAMES[:1])
    for settings in (dict(sides=(16, )), dict(quality=80), dict(frame_stride=2)):
        with pytest.raises(ValueError, match='a store of other settings'):
            make(videos, tmp_path / 'out', **settings)
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'thesis.tex').touch()
    with pytest.raises(ValueError, match='must be new, an empty folder or a grid store'):
        make(videos, tmp_path / 'mine')
    (tmp_path / 'old').mkdir()
    (tmp_path / 'old' / 'grid_store.json').write_text('{"version": 1, "sides": [32], "gop": 12, "crf": 20}')
    with pytest.raises(
            ValueError,
            match='is of version 1, .* reads and writes version 3'
    ):
        make(videos, tmp_path / 'old')
    monkeypatch.setattr(tool.shutil, 'disk_usage', lambda path: tool.shutil._ntuple_diskusage(10, 10, 10))
    monkeypatch.setattr(tool, 'SAMPLE', 1)
    with pytest.raises(OSError, match='the store does not fit'):
        make(videos, tmp_path / 'full')
    for settings, message in ((dict(sides=()), 'sides'), (dict(sides=(8, )), 'sides'), (dict(quality=0), 'quality'),
                              (dict(quality=101), 'quality'), (dict(frame_stride=0), 'frame_stride')):
        with pytest.raises(ValueError, match=message):
            Settings(**{'sides': (32, ), **settings})
    (tmp_path / 'empty.txt').touch()
    with pytest.raises(ValueError, match='names no video'):
        sources_in(tmp_path / 'empty.txt', tmp_path)


def test_without_pyav_it_is_told_before_a_video_is_opened(tmp_path, videos, monkeypatch):
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(ImportError, match=r"av is needed.*: pip install 'mmaction_multigrid\[store\]'"):
        make(videos, tmp_path / 'store')
    assert not (tmp_path / 'store').exists()


def test_sides_of_a_config(small_config, tmp_path):
    """Two stages: crops of 24, 34 and 48 pixels of frames with a short side of 56."""
    cfg = Config.fromfile(small_config)
    assert sides_of(cfg) == (28, 40)
    assert sides_of(cfg, full=True) == (28, 40, 56)
    share = [dict(type='RandomResizedCrop'), dict(type='Resize', scale=(48, 48), keep_ratio=False)]
    steps = cfg.train_dataloader.dataset.pipeline
    at = next(i for i, step in enumerate(steps) if step['type'] == 'Resize')
    cfg.train_dataloader.dataset.pipeline = [*steps[:at], *share, *steps[at + 2:]]
    with pytest.raises(ValueError, match='crops a share of the frames: give --sides'):
        sides_of(cfg)
    assert sides_of(cfg, 100) == (50, 71)
    cfg.train_dataloader.dataset.pipeline = [*steps[:at], *steps[at + 1:]]
    with pytest.raises(ValueError, match='resizes before it crops'):
        sides_of(cfg)
    assert json.loads(json.dumps(Settings((40, 28, 40)).sides)) == [28, 40]


def test_a_file_that_was_repaired_is_no_failure_any_more(tmp_path, videos):
    names = [NAMES[0], 'new.mp4']
    (videos / 'new.mp4').write_bytes(b'no video')
    try:
        assert names_of(make(videos, tmp_path, names)['failed']) == ['new.mp4']
        encode(videos / 'new.mp4', 8, 64, 48)
        assert make(videos, tmp_path, names)['failed'] == {}
        assert not (tmp_path / 'failed.txt').exists()
    finally:
        (videos / 'new.mp4').unlink()
