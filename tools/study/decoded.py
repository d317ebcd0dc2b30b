"""Decode each video once a run, so that loading takes little time.

Imported by tools/study/run.py. The frames are those of the stock transforms.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from mmaction.datasets.transforms import DecordInit


class Frames(np.ndarray):
    """Frames (T, H, W, 3) with the methods of decord's reader and batches."""

    def get_avg_fps(self) -> float:
        """Return a rate, which no pipeline of the study uses."""
        return 25.

    def get_batch(self, indices: Any) -> 'Frames':
        """Return some of the frames."""
        return self[indices]

    def asnumpy(self) -> np.ndarray:
        """Return the frames as an array."""
        return np.asarray(self)


class InitDecoded(DecordInit):
    """``DecordInit`` that keeps the frames of each video in memory."""

    @lru_cache(None)
    def _get_video_reader(self, filename: str) -> Frames:
        return super()._get_video_reader(filename)[:].asnumpy().view(Frames)
