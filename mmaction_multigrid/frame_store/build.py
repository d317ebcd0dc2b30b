"""Writes a grid store: the videos of a data set once more, small, as pictures.

Every video is written by itself, told in the log of its part, and put into the index when all are there. A build that was
broken off goes on where it was, and ends with what it would have ended with, to the byte.
"""

import errno
import json
import os
import random
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import (
    Callable,
    Collection,
    Dict,
    List,
    Optional,
    Sequence,
    TextIO,
    Tuple,
)

from mmengine.config import Config
from rich.progress import track

from .avi import pyav
from .copying import Result, Settings, copy_video, run
from .frames import open_frames
from .index import MANIFEST, VERSION, Index, read_manifest, write_manifest
from .log import merge, open_log, read_logs, to_line
from .names import copy_path, split_key
from .sizes import sides_of
from .sources import Source, digest_of

LOOKERS = 16  # threads that wait for the disk while originals are looked at
SAMPLE = 16  # videos copied first, to tell the room and the time of all


def choose_sides(cfg: Config, sources: Sequence[Source], full: bool) -> Tuple[int, ...]:
    """Short sides that a config needs, for these originals.

    Raises:
        ImportError: PyAV is not installed.
        ValueError: See :func:`.sizes.sides_of`; or none of the first originals can be opened.
    """
    try:
        return sides_of(cfg, None, full)
    except ValueError as error:
        if '--sides' not in str(error):
            raise
    pyav()  # without it every original would look broken
    found = []
    for source in random.Random(0).sample(list(sources), len(sources)):
        try:
            found.append(min(next(open_frames(source)[2]).shape[:2]))
        except Exception:  # whatever a decoder makes of a broken file
            continue
        if len(found) == SAMPLE:
            break
    if not found:
        raise ValueError('none of the videos can be opened: is --root the folder that the list is for?')
    return sides_of(cfg, max(found), full)


def prepare(out: Path, settings: Settings) -> None:
    """Begin a store, or go on with one of the same settings.

    Raises:
        ValueError: ``out`` holds something else.
    """
    wanted = dict(version=VERSION, **json.loads(json.dumps(asdict(settings))))
    if (out / MANIFEST).is_file():
        found = {key: value for key, value in read_manifest(str(out)).items() if key not in ('index', 'videos')}
        if found != wanted:
            raise ValueError(f'{out}: holds a store of other settings, {found}; give another folder')
        return
    if out.is_file():
        raise ValueError(
            f'{out}: is a file; give the folder of the store after the list')
    if out.exists() and any(path.name != f'{MANIFEST}.part' for path in out.iterdir()):
        raise ValueError(f'{out}: must be new, an empty folder or a grid store')
    out.mkdir(parents=True, exist_ok=True)
    write_manifest(out, wanted)


def read_done(out: Path, settings: Settings) -> Dict[str, int]:
    """Bytes of the copies of each video that has them all, whole; by key."""
    found: Dict[str, List[int]] = {}
    if read_manifest(str(out)).get('index'):
        index = Index(str(out))
        found = {key: index.copies['size'][row].tolist()
                 for key, row in index.rows().items()}
    found.update((key, sizes) for key, (_, sizes) in read_logs(out)[0].items())
    return {key: sum(sizes) for key, sizes in found.items()
            if all(_size(copy_path(str(out), side, key)) == size
                   for side, size in zip(settings.sides, sizes))}


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def identify(sources: Sequence[Source], done: Collection[str]) -> List[Source]:
    """Look at the originals: the same sources with their digests.

    Args:
        sources: The originals.
        done: Keys of videos with copies. One that is the only of its name is
            taken for the copy of an original that is not here any more.
    """
    names: Dict[bytes, List[int]] = {}
    for name, digest in map(split_key, done):
        names.setdefault(name, []).append(digest)

    def look(source: Source) -> Source:
        try:
            return replace(source, digest=digest_of(source))
        except OSError:
            digests = names.get(split_key(source.key)[0], ())
            if len(digests) != 1:
                return source
            return replace(source, digest=digests[0])

    with ThreadPoolExecutor(LOOKERS) as pool:
        found = pool.map(look, sources)
        return list(track(found, 'originals', total=len(sources),
                          disable=not sys.stdout.isatty()))


def build(sources: Sequence[Source], out: Path, settings: Settings, processes: Optional[int] = None,
          part: Tuple[int, int] = (1, 1)) -> dict:
    """Write the store, or what it lacks of these videos.

    Args:
        sources: The originals.
        out: Folder to write.
        settings: What to store.
        processes: Processes that work side by side; one for each CPU by default. A file that ends its process costs more
            than itself with one.
        part: Which part of the originals to copy, from 1, of how many.

    Returns:
        dict: ``videos``: how many of these have copies; their ``bytes``;
        errors of those that ``failed``, by their keys (of this part while
        others are missing); and whether the store is ``finished``.

    Raises:
        ImportError: PyAV is not installed.
        ValueError: ``out`` holds something else, or another process is at work on the same part.
        OSError: The store does not fit on the disk.
    """
    pyav()  # without it every video would fail, one after the other
    prepare(out, settings)
    with open_log(out, part) as log:
        done = read_done(out, settings)
        sources = identify(sources, done)
        unique = {source.key: source for source in sources}
        mine = sorted(unique)[part[0] - 1::part[1]]
        todo = [unique[key] for key in mine if key not in done]
        random.Random(0).shuffle(todo)  # so that the first tell the size of all, and the time that remains
        work = partial(copy_video, out=out, settings=settings)
        failed = _copy_all(todo, work, processes or os.cpu_count() or 1, out, log, done)
    merged = merge(out, lambda tried: part[1] == 1 or unique.keys() <= tried)
    if merged is not None:
        failed = {key: error for key, error in merged.items() if key in unique}
    return dict(videos=sum(source.key in done for source in sources),
                bytes=sum(done[key] for key in unique if key in done),
                failed=failed, finished=merged is not None)


def _copy_all(todo: List[Source], work: Callable[[Source], Result],
              processes: int, out: Path, log: TextIO,
              done: Dict[str, int]) -> Dict[str, str]:
    """Copy videos, and write down how it went, as it goes; the errors of those that could not be copied."""
    failed: Dict[str, str] = {}
    seconds: List[float] = []
    written: List[int] = []
    results = run(work, todo, processes)
    for title, number in (('first videos', min(SAMPLE, len(todo))), ('videos', max(0, len(todo) - SAMPLE))):
        for result in track(islice(results, number), title, total=number, disable=not number):
            if result.video is None:
                failed[result.key] = result.error
                line = json.dumps([result.key, result.error])
                print(line, file=log, flush=True)
            else:
                print(to_line(result.video), file=log, flush=True)
                written.append(sum(copy.size for copy in result.video.copies))
                done[result.key] = written[-1]
            seconds.append(result.seconds)
        if title == 'first videos' and written:
            check_room(out, written, seconds, len(todo), processes)
    results.close()
    return failed


def check_room(out: Path, written: List[int], seconds: List[float], videos: int, processes: int) -> None:
    """Say how much room and time ``videos`` will take, of which some took ``written`` bytes and CPU ``seconds``.

    Raises:
        OSError: The disk has less room.
    """
    each, rest = sum(written) / len(written), max(0, videos - len(seconds))
    needed, free = each * rest, shutil.disk_usage(out).free
    hours = sum(seconds) / len(seconds) * rest / processes / 3600
    print(f'these {videos} videos will take {each * videos / 2**30:.3g} GiB ({each / 2**10:.0f} KiB each, '
          f'{sum(seconds) / len(seconds):.2g} CPU seconds each); {needed / 2**30:.3g} GiB and about {hours:.2g} h on '
          f'{processes} CPUs are to come, and {free / 2**30:.3g} GiB are free', flush=True)
    if needed > free:
        raise OSError(errno.ENOSPC, 'the store does not fit; give fewer sides, a lower quality, a frame stride or '
                      'another disk', str(out))
