"""Build stores with interruptions, in parts, and with failures."""

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mmaction_multigrid.checkpoints import checkpoint_hook
from mmaction_multigrid.frame_store import build, logs, mjpeg, sources
from mmaction_multigrid.frame_store.index import Index, video_dtype
from mmaction_multigrid.frame_store.sources import Source

from ..videos import encode
from .crash import end_process
from .making import make_store

NAMES = [*(f'{i % 2}/{i}.mp4' for i in range(5)), 'bad.mp4']


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Write five videos of 8 to 12 frames in two folders, and a broken one."""
    folder = tmp_path_factory.mktemp('videos')
    for i, name in enumerate(NAMES[:5]):
        (folder / name).parent.mkdir(exist_ok=True)
        encode(folder / name, 8 + i, 64, 48)
    (folder / 'bad.mp4').write_bytes(b'no video')
    return folder


def make(videos, store, names=NAMES, short_edges=(32, 16), **settings):
    return make_store(
        videos, store, names, short_edges=short_edges, **settings)


def tree(store):
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in store.rglob('*') if path.is_file()
    }


@pytest.fixture(scope='module')
def whole(tmp_path_factory, videos):
    """Return the files of a build without interruption."""
    store = tmp_path_factory.mktemp('whole') / 'store'
    result = make(videos, store)
    assert (result['videos'], result['finished']) == (5, True)
    assert [
        f'{videos}/bad.mp4: ' in error for error in result['failed'].values()
    ] == [True]
    assert not [name for name in tree(store) if name.endswith('.part')]
    return tree(store)


def in_a_child(function):
    """Run a function in a new process; return whether it returned."""
    child = multiprocessing.get_context('fork').Process(target=function)
    child.start()
    child.join()
    return child.exitcode == 0


@pytest.mark.parametrize(('owner', 'name', 'stride'),
                         [(os, 'replace', 1), (os, 'fsync', 1),
                          (build, 'Result', 1), (build, 'atomic_write', 1),
                          (logs, 'atomic_write', 1), (shutil, 'rmtree', 1),
                          (mjpeg.Writer, 'write', 17)])
def test_a_killed_build_is_completed(tmp_path, videos, whole, owner, name,
                                     stride):
    """Kill it at every call of a function that writes, or at some of them."""
    real = getattr(owner, name)
    for number in range(1, 1000, stride):
        store, calls = tmp_path / str(number), []

        def killed(*args, calls=calls, number=number, **kwargs):
            calls.append(1)
            if len(calls) == number:
                os._exit(9)  # nothing is flushed, closed or cleaned up
            return real(*args, **kwargs)

        def killed_build(store=store, killed=killed):
            setattr(owner, name, killed)
            make(videos, store)

        finished = in_a_child(killed_build)
        for path in store.glob('log/*.log'):
            with open(path, 'ab') as file:
                file.write(b'half a record')
        make(videos, store)
        assert tree(store) == whole
        if finished:
            assert number > stride  # it was killed at all
            return


def test_a_killed_parallel_build_is_completed(tmp_path, videos, whole,
                                              monkeypatch):
    """Kill it with its processes when two videos are copied."""
    monkeypatch.setattr(build, 'SAMPLE', 2)
    monkeypatch.setattr(shutil, 'disk_usage',
                        lambda path: os.killpg(0, signal.SIGKILL))

    def killed_build():
        os.setsid()
        make(videos, tmp_path, processes=2)

    assert not in_a_child(killed_build)
    assert not (tmp_path / 'index.npy').exists()
    monkeypatch.undo()
    make(videos, tmp_path)
    assert tree(tmp_path) == whole


INTERRUPTED = """
import multiprocessing, os, shutil, sys
from mmaction_multigrid.__main__ import main
from mmaction_multigrid.frame_store import build

def interrupt(path):
    print(*(each.pid for each in multiprocessing.active_children()), flush=1)
    number = int(sys.argv[1])
    # Ctrl-C gets to all processes of the terminal, SIGKILL to one.
    os.killpg(0, number) if number == 2 else os.kill(os.getpid(), number)

build.SAMPLE, shutil.disk_usage = 2, interrupt
sys.exit(main(['store', 'build', *sys.argv[2:]]))
"""


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_build_leaves_no_process(tmp_path, videos, number):
    (tmp_path / 'list.txt').write_text(''.join(f'{name} 0\n'
                                               for name in NAMES[:5]))
    with (tmp_path / 'shown').open('w') as shown, (tmp_path /
                                                   'pids').open('w') as pids:
        status = subprocess.run([
            sys.executable, '-W', 'ignore', '-c', INTERRUPTED,
            str(int(number)),
            str(tmp_path / 'list.txt'),
            str(tmp_path / 'store'), '--root',
            str(videos), '--sides', '16', '--processes', '2'
        ],
                                stdout=pids,
                                stderr=shown,
                                start_new_session=True,
                                timeout=120).returncode
    assert status == {signal.SIGKILL: -9, signal.SIGINT: 130}[number]
    pids = re.findall(r'^\d+ \d+$', (tmp_path / 'pids').read_text(), re.M)
    ends = time.monotonic() + 60
    while any(map(is_alive, pids[0].split())) and time.monotonic() < ends:
        time.sleep(0.1)
    assert not any(map(is_alive, pids[0].split()))
    if number == signal.SIGINT:
        # A process that is just starting may print its own trace, too.
        assert ('mmaction-multigrid store: interrupted; run the same command '
                'again') in (tmp_path / 'shown').read_text().splitlines()


def is_alive(pid):
    """Tell whether a process exists and has not ended."""
    try:
        # The state follows the name, which is in brackets.
        state = Path('/proc', pid, 'stat').read_text().rsplit(')', 1)[1]
    except FileNotFoundError:
        return False
    return state.split()[0] != 'Z'


def test_only_missing_videos_are_copied(tmp_path, videos):
    make(videos, tmp_path, NAMES[:3])
    old = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*.mjpeg')}
    lost = min(tmp_path.glob('16/*/*'))
    content = lost.read_bytes()
    lost.write_bytes(content[:-2])
    assert [str(lost) in error
            for error in Index(tmp_path).check()].count(True) == 1
    assert make(videos, tmp_path, NAMES[:5])['videos'] == 5  # two more
    assert lost.read_bytes() == content
    changed = {path for path in old if path.stat().st_mtime_ns != old[path]}
    assert {path.name for path in changed} == {lost.name}
    assert not any(Index(tmp_path).check())


@pytest.mark.parametrize('order', [(1, 2), (2, 1)])
def test_parts_make_the_whole(tmp_path, videos, whole, order):
    assert not make(videos, tmp_path, part=(order[0], 2))['finished']
    with pytest.raises(ValueError, match='is not finished, or holds no'):
        Index(tmp_path)
    result = make(videos, tmp_path, part=(order[1], 2))
    assert (result['finished'], result['videos']) == (True, 5)
    assert tree(tmp_path) == whole
    assert make(videos, tmp_path, part=(1, 2))['finished']


def test_one_process_a_part(tmp_path, videos, whole):
    make(videos, tmp_path, part=(1, 2))
    with logs.open_log(tmp_path / 'log' / '2-of-2.log', 1):
        with pytest.raises(
                ValueError,
                match='another process is building its part 2-of-2'):
            make(videos, tmp_path, part=(2, 2))
        # The index waits for the other process.
        assert not make(videos, tmp_path)['finished']
    assert make(videos, tmp_path)['finished']
    assert tree(tmp_path) == whole


def test_a_video_can_end_its_process():
    names = ['fatal.mp4', 'fine.mp4', 'fine too.mp4']
    results = build.run(end_process, names, 2)
    assert {name: error
            for name, _, error in results} == {
                'fatal.mp4': 'crash: it ended the process that read it',
                'fine too.mp4': 'tried',
                'fine.mp4': 'tried'
            }


def test_broken_originals_are_listed_and_tried_again(tmp_path, videos):
    names, folder = [NAMES[0], 'bad.mp4', 'gone.mp4'], tmp_path / 'videos'
    shutil.copytree(videos, folder)
    for _ in range(2):
        result = make(folder, tmp_path / 'out', names)
        assert result['videos'] == 1
        assert len(result['failed']) == 2
        lines = (tmp_path / 'out' / 'failed.txt').read_text().splitlines()
        assert lines == sorted(f'{digest:016x}\t{error}'
                               for digest, error in result['failed'].items())
    for name in names:
        encode(folder / name, 8, 64, 48)
    assert make(folder, tmp_path / 'out', names)['failed'] == {}
    assert (tmp_path / 'out' / 'failed.txt').read_bytes() == b''


def test_a_full_disk_ends_the_build(tmp_path, videos, whole, monkeypatch):
    monkeypatch.setattr(
        checkpoint_hook,
        'open',
        lambda path, mode: open('/dev/full'
                                if '.mjpeg' in path.name else path, mode),
        raising=False)
    with pytest.raises(OSError, match='No space left'):
        make(videos, tmp_path)
    assert not list(tmp_path.rglob('*.mjpeg*'))
    monkeypatch.undo()
    make(videos, tmp_path)
    assert tree(tmp_path) == whole


@pytest.mark.parametrize('kind', ['files', 'segments'])
def test_the_size_is_forecast_within_a_tenth(tmp_path, capsys, kind):
    """After 16 videos of 5 to 50 frames, for 14 more."""
    encode(tmp_path / 'long.mp4', 50, grain=8)
    sources = [
        Source(
            str(tmp_path / 'long.mp4'),
            segment=(0, 5 + number * 3 // 2,
                     'frames')) if kind == 'segments' else
        Source(str(encode(tmp_path / f'{number}.mp4', 5 + number * 3 // 2)))
        for number in range(30)
    ]
    build.build(sources, tmp_path / 'store', [32])
    found = re.search('14 more videos will take (.*) GiB, and',
                      capsys.readouterr().out)
    sizes = Index(tmp_path / 'store').videos['copies']['size']
    assert sizes[:16].max() > 5 * sizes[:16].min()
    assert float(found[1]) * 2**30 == pytest.approx(sizes[16:].sum(), rel=.1)


def test_blocks_of_a_file_tell_it_from_others(tmp_path):
    path, digests = tmp_path / 'a', set()
    for place in (0, 2**18 // 3, 2**18 * 2 // 3 - 10, 2**18 - 1, None):
        path.write_bytes(bytes(i == place for i in range(2**18)))
        digests |= {
            sources.digest_of(Source(str(path), reader))
            for reader in ('decord', 'pyav')
        }
    assert len(digests) == 10


def test_what_is_refused(tmp_path, videos, monkeypatch):
    make(videos, tmp_path / 'out', NAMES[:1])
    with pytest.raises(ValueError, match='a store of other short edges'):
        make(videos, tmp_path / 'out', short_edges=(16, ))
    (tmp_path / 'out' / 'index.npy').write_bytes(b'')
    with pytest.raises(ValueError, match='its index.npy is broken'):
        make(videos, tmp_path / 'out')
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'thesis.tex').touch()
    with pytest.raises(ValueError, match='must be new, an empty folder'):
        make(videos, tmp_path / 'mine')
    for short_edges in ((), (8, )):
        with pytest.raises(ValueError, match='sides = .*give --full'):
            make(videos, tmp_path / 'new', short_edges=short_edges)
    monkeypatch.setattr(shutil, 'disk_usage',
                        lambda path: shutil._ntuple_diskusage(10, 10, 10))
    monkeypatch.setattr(build, 'SAMPLE', 1)
    with pytest.raises(OSError, match='the store does not fit'):
        make(videos, tmp_path / 'full')
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(ImportError, match='av'):
        make_store(videos, tmp_path / 'without', NAMES[:1], 'pyav')


def test_the_last_record_of_a_video_counts(tmp_path):
    """Digests exceed int64."""
    logs.prepare(tmp_path, [16])
    (tmp_path / 'log').mkdir()
    videos = [(digest, 0, frames, [(1, 2, 3)])
              for frames, digest in enumerate((7, 2**64 - 1, 2**63, 7), 1)]
    np.array(videos, video_dtype([16])).tofile(tmp_path / 'log' / '1-of-1.log')
    (tmp_path / 'log' / '1-of-1.txt').touch()
    assert logs.merge(tmp_path, [16], 1)
    index = Index(tmp_path)
    assert index.videos['frames'].tolist() == [4, 3, 2]
    assert [index.find(d) for d in (7, 2**63, 2**64 - 1, 6)] == [0, 1, 2, None]
