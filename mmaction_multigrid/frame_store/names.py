"""What a store calls clips, videos and copies."""

import os.path as osp
from typing import Tuple


def clip_name(path: str, root: str) -> str:
    """Name a clip by its path below a folder, or from the root of the disk.

    It never depends on the working directory for files that are there from
    every directory, and never leads out of a folder.
    """
    path, root = osp.normpath(path), osp.normpath(root or '.')
    if root != '.' and path.startswith(f'{root}/'):
        return path[len(root) + 1:]
    outside = path.startswith(('/', '../'))
    return osp.abspath(path).lstrip('/') if outside else path


def video_key(name: str, digest: int) -> str:
    """What a store calls a video: files of one name are told apart."""
    return f'{name}.{digest:016x}'


def split_key(key: str) -> Tuple[bytes, int]:
    """Name, as bytes, and digest of a video: what an index is sorted by."""
    name, _, digest = key.rpartition('.')
    return name.encode('utf-8', 'surrogateescape'), int(digest, 16)


def copy_path(store: str, side: int, key: str) -> str:
    """Path of the copy, with a short side of ``side`` pixels, of a video."""
    return osp.join(store, str(side), f'{key}.avi')
