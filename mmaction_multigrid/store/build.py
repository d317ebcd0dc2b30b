"""Writes a grid store: the videos of a data set once more, small and quick to seek in.

The short sides follow from the shapes of a multigrid config or are given. Every frame is kept, so that a frame's number
means the same in every copy. A build that was broken off goes on where it was.
"""

import json
import multiprocessing
import os
import random
import shutil
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

import av
import cv2
import decord
from mmengine.config import Config
from rich.progress import track

from ..config import multigrid_schedule
from ..config.base import pipelines
from ..datasets import Grid
from .read import MANIFEST, UseGridStore, copy_path, side_on_grid

VERSION = 1  # of what is written: raise it when the same settings give other copies
DONE = 'done.txt'  # a line a video: name, frames, bytes
FAILED = 'failed.txt'  # a line a video: name, error
MAX_DIFFERENCE = 30  # grey levels of 255, on average: lossy encoding stays well below, another frame seldom
SAMPLE = 16  # videos written first, to tell the size of the store


@dataclass(frozen=True)
class Settings:
    """How the copies are encoded.

    Attributes:
        sides (tuple[int]): Short sides in pixels; even, as H.264's colour needs it.
        gop (int): Frames from one keyframe to the next: fewer read quicker and take more room.
        crf (int): Quality of x264; lower is better.
    """
    sides: Tuple[int, ...]
    gop: int = 12
    crf: int = 20

    def __post_init__(self) -> None:
        if not self.sides or any(side < 16 for side in self.sides):
            raise ValueError(f'sides = {list(self.sides)}: must be short sides of at least 16 pixels')
        object.__setattr__(self, 'sides', tuple(sorted({side + side % 2 for side in self.sides})))
        if self.gop < 1:
            raise ValueError(f'gop = {self.gop}: must be at least 1')
        if not 0 <= self.crf <= 51:
            raise ValueError(f'crf = {self.crf}: must be from 0 to 51')


def sides_of(cfg: Config) -> Tuple[int, ...]:
    """Short sides, in pixels, that the shapes of a multigrid config need, the base shape's among them."""
    schedule, _ = multigrid_schedule(cfg)
    base = schedule.base
    sides = {UseGridStore.read_short_side(pipeline) for pipeline in pipelines(cfg.train_dataloader.dataset)}
    crops = {shape.crop_size for stage in schedule.stages for shape in stage.shapes}
    return tuple(sorted({side_on_grid(side, Grid(base.num_frames, crop, base.num_frames, base.crop_size))
                         for side in sides for crop in crops}))


def read_list(path: Path) -> List[str]:
    """Names of the videos in an annotation file; each once."""
    names = dict.fromkeys(line.split()[0] for line in path.read_text(encoding='utf-8').splitlines() if line.strip())
    if not names:
        raise ValueError(f'{path}: names no video')
    return list(names)


class Writer:
    """Writes one copy, beside its place first, so that what is in its place is whole."""

    def __init__(self, path: Path, frame_shape: tuple, side: int, rate: Fraction, settings: Settings) -> None:
        height, width = frame_shape[:2]
        scale = side / min(height, width)
        self.size = tuple(2 * max(1, round(length * scale / 2)) for length in (width, height))
        self.path, self.part = path, path.with_name(f'{path.name}.part')
        path.parent.mkdir(parents=True, exist_ok=True)
        self.container = av.open(str(self.part), 'w', format='mp4')
        self.stream = self.container.add_stream('libx264', rate=rate)
        self.stream.width, self.stream.height = self.size
        self.stream.pix_fmt = 'yuv420p'
        self.stream.thread_count = 1  # the videos are what runs in parallel
        self.stream.gop_size = settings.gop
        self.stream.options = dict(preset='veryfast', tune='fastdecode', bf='0', sc_threshold='0', crf=str(settings.crf))

    def write(self, frame) -> None:
        """Encode an RGB frame."""
        self.last = cv2.resize(frame, self.size, interpolation=cv2.INTER_AREA)
        self.container.mux(self.stream.encode(av.VideoFrame.from_ndarray(self.last, format='rgb24')))

    def close(self, frames: int) -> int:
        """Finish, check and put in place; its bytes."""
        self.container.mux(self.stream.encode())
        self.container.close()
        reader = decord.VideoReader(str(self.part), num_threads=1)
        if len(reader) != frames:
            raise ValueError(f'the copy {self.path} has {len(reader)} of {frames} frames')
        if cv2.absdiff(reader[frames - 1].asnumpy(), self.last).mean() > MAX_DIFFERENCE:
            raise ValueError(f'the last frame of the copy {self.path} is another than that of the original')
        size = self.part.stat().st_size
        os.replace(self.part, self.path)
        return size


def copy_video(name: str, root: Path, out: Path, settings: Settings) -> Tuple[str, int, int, str]:
    """Write the copies of one video: its name, frames, bytes, and the error, if there was one."""
    cv2.setNumThreads(0)
    writers: List[Writer] = []
    try:
        # Read as in training, so that a frame's number means the same.
        reader = decord.VideoReader(str(root / name), num_threads=1)
        frames, rate = len(reader), Fraction(reader.get_avg_fps()).limit_denominator(1001)
        for index in range(frames):
            frame = reader[index].asnumpy()
            if not writers:
                writers += [Writer(Path(copy_path(str(out), side, name)), frame.shape, side, rate, settings)
                            for side in settings.sides]
            for writer in writers:
                writer.write(frame)
        if not frames:
            raise ValueError('has no frames')
        return name, frames, sum(writer.close(frames) for writer in writers), ''
    except Exception as error:  # whatever a decoder makes of a broken file
        for writer in writers:
            writer.part.unlink(missing_ok=True)
        return name, 0, 0, f'{type(error).__name__}: {error}'.splitlines()[0]


def prepare(out: Path, settings: Settings) -> None:
    """Begin a store, or go on with one of the same settings."""
    state, manifest = dict(version=VERSION, **asdict(settings)), out / MANIFEST
    if manifest.is_file():
        found = json.loads(manifest.read_text())
        found.pop('finished', None), found.pop('videos', None)
        if found != json.loads(json.dumps(state)):
            raise ValueError(f'{out}: holds a store of other settings, {found}; give another folder')
    elif out.exists() and any(out.iterdir()):
        raise ValueError(f'{out}: must be new, an empty folder or a grid store')
    out.mkdir(parents=True, exist_ok=True)
    write_manifest(out, state)


def write_manifest(out: Path, state: dict) -> None:
    """Write the manifest in one step."""
    part = out / f'{MANIFEST}.part'
    part.write_text(json.dumps(state, indent=1))
    os.replace(part, out / MANIFEST)


def read_done(out: Path) -> dict:
    """Bytes of the copies of each video that is done; a line that was broken off does not count."""
    path = out / DONE
    lines = path.read_text(encoding='utf-8').splitlines(keepends=True) if path.is_file() else []
    fields = [line.rstrip('\n').split('\t') for line in lines if line.endswith('\n')]
    return {entry[0]: int(entry[2]) for entry in fields if len(entry) == 3}


def run(names: List[str], out: Path, copy_each: Callable, title: str) -> dict:
    """Copy videos and write down how it went, as it goes; bytes of each copied one, None of each that failed."""
    sizes: Dict[str, Optional[int]] = {}
    with open(out / DONE, 'a', encoding='utf-8') as done, open(out / FAILED, 'a', encoding='utf-8') as failed:
        for name, frames, size, error in track(copy_each(names), title, total=len(names)):
            sizes[name] = None if error else size
            if error:
                print(name, error, sep='\t', file=failed, flush=True)
            else:
                print(name, frames, size, sep='\t', file=done, flush=True)
    return sizes


def build(names: List[str], root: Path, out: Path, settings: Settings, processes: Optional[int] = None) -> dict:
    """Write the store.

    Args:
        names: Paths of the videos below ``root``.
        root: Folder of the videos.
        out: Folder to write.
        settings: How to encode.
        processes: Processes that work side by side; one for each CPU by default.

    Returns:
        dict: Number of ``videos`` with copies, their ``bytes``, and the names that ``failed``.

    Raises:
        ValueError: ``out`` holds something else, or the store will not fit on the disk.
    """
    prepare(out, settings)
    sizes = read_done(out)
    todo = [name for name in names if name not in sizes]
    random.Random(0).shuffle(todo)  # so that the first tell the size of all, and the time that remains
    (out / FAILED).unlink(missing_ok=True)  # tried again
    work = partial(copy_video, root=root, out=out, settings=settings)
    processes = processes or os.cpu_count()
    with multiprocessing.get_context('spawn').Pool(processes) if processes > 1 else nullcontext() as pool:
        for_each = pool.imap_unordered if pool else map
        sizes.update(run(todo[:SAMPLE], out, partial(for_each, work), 'first videos'))
        check_room(out, list(filter(None, sizes.values())), len(names))
        sizes.update(run(todo[SAMPLE:], out, partial(for_each, work), 'videos'))
    copied = [name for name in names if sizes[name]]
    write_manifest(out, dict(version=VERSION, **asdict(settings), videos=len(copied), finished=True))
    return dict(videos=len(copied), bytes=sum(sizes[name] for name in copied),
                failed=[name for name in names if not sizes[name]])


def check_room(out: Path, sizes: List[int], videos: int) -> None:
    """Say how much room ``videos`` will take, of which some have taken ``sizes``; stop if the disk has less."""
    each = sum(sizes) / max(1, len(sizes))
    needed, free = each * (videos - len(sizes)), shutil.disk_usage(out).free
    print(f'the store will take {each * videos / 2**30:.3g} GiB ({each / 2**10:.0f} KiB a video); '
          f'{needed / 2**30:.3g} GiB are to come and {free / 2**30:.3g} GiB are free')
    if needed > free:
        raise ValueError(f'{out}: the store does not fit; give fewer sides, a higher crf or another disk')
