"""Read videos that were decoded once, so that loading takes little time.

Imported by tools/study/run.py. In a study, loading and training share one
process and one core. The frames are those of the stock transforms.
"""

import functools
import json
from pathlib import Path
from typing import Any, Dict, List

import decord
import numpy as np

from mmaction.datasets.transforms import DecordInit

FRAMES, VIDEOS = 'frames.npy', 'videos.json'


def folder_of(videos: str) -> Path:
    """Return where the frames of a folder of ``data/`` are."""
    return Path('data', 'decoded', Path(videos).relative_to('data').parts[0])


def decode(folder: Path) -> None:
    """Decode the videos of the lists of a folder, all of one size."""
    out = folder_of(folder)
    if (out / VIDEOS).exists():
        return
    out.mkdir(parents=True, exist_ok=True)
    frames: List[np.ndarray] = []
    spans: Dict[str, List[int]] = {}
    begin = 0
    for name in ('train.txt', 'val.txt'):
        for line in (folder / name).read_text().splitlines():
            video = str(folder / line.split()[0])
            frames.append(decord.VideoReader(video)[:].asnumpy())
            spans[video] = [begin, begin := begin + len(frames[-1])]
    np.save(out / FRAMES, np.concatenate(frames))
    # The index is last: it marks the folder as complete.
    (out / VIDEOS).write_text(json.dumps(spans))


@functools.lru_cache(None)
def opened(out: Path) -> tuple:
    """Return the frames of a folder and where the videos are in it."""
    return (np.load(out / FRAMES, mmap_mode='r').view(Frames),
            json.loads((out / VIDEOS).read_text()))


class Frames(np.memmap):
    """Frames with the methods of a reader of decord and of its batches."""

    def get_avg_fps(self) -> float:
        """Return a rate, which no pipeline of the study uses."""
        return 25.

    def get_batch(self, indices: Any) -> 'Frames':
        """Return frames, of shape (T, H, W, 3)."""
        return self[indices]

    def asnumpy(self) -> np.ndarray:
        """Return the frames as an array."""
        return np.asarray(self)


class InitDecoded(DecordInit):
    """``DecordInit`` of decoded videos."""

    def _get_video_reader(self, filename: str) -> Frames:
        frames, spans = opened(folder_of(filename))
        return frames[slice(*spans[filename])]
