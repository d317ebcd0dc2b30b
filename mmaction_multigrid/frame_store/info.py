"""What a grid store holds, and whether it is whole."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator, Tuple

from .index import Index, read_manifest
from .log import log_files, read_failed, read_logs
from .names import copy_path

BLOCK = 2**20


def store_info(store: Path) -> dict:
    """What a store holds.

    Returns:
        dict: Its settings (``sides``, ``quality``, ``frame_stride``), numbers of ``videos`` and of ``failed`` ones,
        ``frames`` of the originals, ``bytes`` of the copies of each side, whether it is ``finished``, that is, can be
        trained from, and ``logged``: videos that a build has copied and not put into the index yet.

    Raises:
        FileNotFoundError, ValueError: There is no store, or none that can be read.
    """
    manifest = read_manifest(str(store))
    found = dict(sides=manifest['sides'], quality=manifest['quality'], frame_stride=manifest['frame_stride'],
                 finished=bool(manifest.get('index')), videos=0, frames=0, bytes=[0] * len(manifest['sides']),
                 failed=len(read_failed(store)), logged=len(read_logs(store)[0]) if log_files(store) else 0)
    if found['finished']:
        index = Index(str(store))
        found.update(videos=len(index), frames=int(index.videos['frames'].sum()),
                     bytes=index.copies['size'].sum(axis=0).tolist())
    return found


def check_store(store: Path, threads: int = 1) -> Iterator[Tuple[str, str]]:
    """Read every copy of a store, and compare its checksum: its path, and ``fine`` or what is wrong.

    Args:
        store: Folder of the store.
        threads: Copies to read side by side. Defaults to 1.

    Raises:
        FileNotFoundError, ValueError: There is no store, or an unfinished or broken one.
    """
    index = Index(str(store))

    def check(number: int) -> Tuple[str, str]:
        row, side = divmod(number, len(index.sides))
        path = copy_path(str(store), index.sides[side], index.key(row))
        return path, _check(path, *index.copies[row, side][['size', 'crc']].tolist())

    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(check, range(len(index) * len(index.sides)))


def _check(path: str, size: int, crc: int) -> str:
    found, read = 0, 0
    try:
        with open(path, 'rb') as file:
            while block := file.read(BLOCK):
                found, read = zlib.crc32(block, found), read + len(block)
    except FileNotFoundError:
        return 'is missing'
    except OSError as error:
        return f'cannot be read: {error}'
    if read != size:
        return f'has {read} bytes, and {size} were written'
    return 'fine' if found == crc else 'is damaged'
