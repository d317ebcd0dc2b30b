"""Measure what a frame store would save in loading, and its size on disk."""

import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, List, NamedTuple, Sequence

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate

from ..config.base import with_pipelines
from ..loading.train_data import build_dataset, unwrap_datasets
from .build import build
from .sources import read_short_edge, rule_of, source_of, stored_reader
from .transforms import GridStoreInit

CLIPS = 16  # clips to load, from different originals
PARTS = ('open, sample and decode', 'other transforms', 'collate')


class Estimate(NamedTuple):
    """Loading of clips from a frame store.

    Attributes:
        parts (list[float]): See :func:`time_clips`.
        originals (int): Clips in the dataset.
        size (float): Expected size of a store of their originals in bytes.
    """
    parts: List[float]
    originals: int
    size: float


def first_dataset(cfg: Config) -> Any:
    """Build the train dataset, of several the first one."""
    return next(unwrap_datasets(build_dataset(cfg.train_dataloader.dataset)))


def draw_clips(dataset: Any) -> List[int]:
    """Draw the clips to measure with, the same ones each time."""
    return random.Random(0).sample(
        range(len(dataset)), min(CLIPS, len(dataset)))


def time_clips(dataset: Any, clips: Sequence[int]) -> List[float]:
    """Measure the mean time in seconds of each of ``PARTS`` for a clip."""
    dataset[clips[0]]  # builds and opens what later clips share
    parts = np.zeros(len(PARTS))
    for index in clips:
        results = dataset.get_data_info(index)
        begin = time.perf_counter()
        for transform in dataset.pipeline.transforms:
            results = transform(results)
            end = time.perf_counter()
            parts[0 if rule_of(transform).does_io else 1] += end - begin
            begin = end
        pseudo_collate([results])
        parts[-1] += time.perf_counter() - begin
    return (parts / len(clips)).tolist()


def estimate_store(cfg: Config, dataset: Any) -> Estimate:
    """Build a small store of full clips, and load from it.

    Args:
        cfg (Config): A config without multigrid.
        dataset (Dataset): Its train dataset, whose pipeline changes.

    Raises:
        ValueError: A frame store does not support the pipeline, or a clip
            cannot be copied.
    """
    config = next(with_pipelines(cfg.train_dataloader.dataset))
    reader, clips = stored_reader(config['pipeline']), draw_clips(dataset)
    sources = [source_of(dataset.get_data_info(i), reader) for i in clips]
    with TemporaryDirectory() as store:
        result = build(sources, Path(store),
                       [read_short_edge(config['pipeline'])])
        if result['failed']:
            raise ValueError(f'frame store: {min(result["failed"].values())}')
        dataset.pipeline = Compose(GridStoreInit.insert(config, store, True))
        size = sum(file.stat().st_size
                   for file in Path(store).rglob('*.mjpeg'))
        return Estimate(
            time_clips(dataset, clips), len(dataset),
            size / len(clips) * len(dataset))
