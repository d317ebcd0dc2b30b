"""What a build has done so far: a file for each of its parts, a line for each video, and their merge into the index.

A line that was broken off does not count. The files are gone when all that they say is in the index.
"""

import base64
import fcntl
import json
import os
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Sequence, Set, TextIO, Tuple

import numpy as np

from .avi import FRAME, Copy
from .index import Index, Video, read_manifest, write_index
from .names import split_key, video_key

LOGS = 'log'  # folder
FAILED = 'failed.txt'  # a line a video: key, path and error
# Where a line is (log, byte), bytes of each copy.
Told = Tuple[Tuple[Path, int], List[int]]


def to_line(video: Video) -> str:
    """A video as a line of a log."""
    copies = [[copy.size, copy.crc, base64.b64encode(copy.frames.tobytes()).decode()] for copy in video.copies]
    return json.dumps([*video[:-1], copies])


def from_line(line: str) -> Video:
    """The video of a line of a log."""
    *fields, copies = json.loads(line)
    return Video(*fields, tuple(Copy(size, crc, np.frombuffer(base64.b64decode(frames), FRAME))
                                for size, crc, frames in copies))


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold a file's lock inside the ``with`` block.

    Raises:
        BlockingIOError: Another process has it, and ``wait`` is False.
    """
    with open(path, 'ab') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            pass
        yield


@contextmanager
def open_log(store: Path, part: Tuple[int, int]) -> Iterator[TextIO]:
    """The log of a part, to append to; what was broken off at its end is cut off.

    Raises:
        ValueError: Another process is at work on the part.
    """
    path = store / LOGS / f'{part[0]}-of-{part[1]}.jsonl'
    path.parent.mkdir(exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, wait=False))
        except BlockingIOError:
            raise ValueError(f'{store}: another process is building its part {part[0]}/{part[1]}') from None
        with open(path, 'r+b') as file:
            _cut(file)
        with open(path, 'a', encoding='utf-8') as file:
            yield file


def _cut(file: BinaryIO, block: int = 2**20) -> None:
    """Cut off what is behind the last end of a line."""
    size, last = file.seek(0, os.SEEK_END), -1
    while last < 0 < size:
        begin = max(0, size - block)
        file.seek(begin)
        last = file.read().rfind(b'\n')
        if begin == 0:
            break
        block *= 4
    file.truncate(begin + last + 1 if size else 0)


def read_logs(store: Path) -> Tuple[Dict[str, Told], Dict[str, str]]:
    """What the logs tell of each video; and the error of each that could not be copied."""
    done: Dict[str, Told] = {}
    failed: Dict[str, str] = {}
    for path in log_files(store):
        with open(path, 'rb') as file:
            begin = 0
            for line in file:
                try:
                    fields = json.loads(line) if line.endswith(b'\n') else None
                except ValueError:
                    fields = None
                if fields and len(fields) == 2:
                    failed[fields[0]] = fields[1]
                elif fields:
                    key = video_key(fields[0], fields[-2])
                    done[key] = (path, begin), [copy[0] for copy in fields[-1]]
                begin += len(line)
    return done, {
        key: error
        for key, error in failed.items() if key not in done
    }


def merge(store: Path, is_finished: Callable[[Set[str]], bool]) -> Optional[Dict[str, str]]:
    """Put what all logs say into the index, and remove them.

    Args:
        store: Folder of the store.
        is_finished: Whether these keys, of all videos that were tried, are
            all that there are to be.

    Returns:
        dict: The videos that failed, each with its error. None: others are still at work, and will merge.
    """
    with ExitStack() as stack:
        stack.enter_context(locked(store / 'lock'))
        logs = log_files(store)
        try:
            for path in logs:
                stack.enter_context(locked(path, wait=False))
        except BlockingIOError:
            return None
        manifest = read_manifest(str(store))
        index = Index(str(store)) if manifest.get('index') else None
        logged, failed = read_logs(store)
        old = index.rows() if index else {}
        failed = {**_earlier(store, [*logged, *failed]), **failed}
        if not is_finished({*old, *logged, *failed}):
            return None
        if logged:
            _write(store, manifest, index, logged, old)
        _write_failed(store, failed)
        for path in logs:
            path.unlink()
        with suppress(OSError):  # not there, or another part has begun
            (store / LOGS).rmdir()
    return failed


def _earlier(store: Path, tried: Sequence[str]) -> Dict[str, str]:
    """Failures of earlier builds, of names that were not tried again."""
    names = {split_key(key)[0] for key in tried}
    return {key: error for key, error in read_failed(store).items()
            if split_key(key)[0] not in names}


def log_files(store: Path) -> List[Path]:
    """The logs of all parts that are not in the index yet."""
    return sorted((store / LOGS).glob('*.jsonl'))


def read_failed(store: Path) -> Dict[str, str]:
    """Videos that could not be copied, each with its error."""
    path = store / FAILED
    lines = path.read_text(encoding='utf-8', errors='surrogateescape').splitlines() if path.is_file() else []
    return dict(line.rsplit('\t', 1) for line in lines if '\t' in line)


def _write(store: Path, manifest: Dict[str, Any], index: Optional[Index],
           logged: dict, old: Dict[str, int]) -> None:
    keys = sorted({*old, *logged}, key=split_key)

    def videos() -> Iterator[Video]:
        with ExitStack() as stack:
            files = {path: stack.enter_context(open(path, 'rb')) for path in {told[0][0] for told in logged.values()}}
            for key in keys:
                if key in logged:
                    path, begin = logged[key][0]
                    files[path].seek(begin)
                    yield from_line(files[path].readline())
                else:
                    yield index.video(old[key])

    settings = {key: value for key, value in manifest.items() if key not in ('index', 'videos')}
    rows = sum(len(copy.frames) for video in videos() for copy in video.copies)
    write_index(store, videos(), settings, len(keys), rows)


def _write_failed(store: Path, failed: Dict[str, str]) -> None:
    lines = [f'{key}\t{error}\n' for key, error in sorted(failed.items())]
    if not lines:
        (store / FAILED).unlink(missing_ok=True)
        return
    part = store / f'{FAILED}.part'
    part.write_text(''.join(lines), encoding='utf-8', errors='surrogateescape')
    os.replace(part, store / FAILED)
