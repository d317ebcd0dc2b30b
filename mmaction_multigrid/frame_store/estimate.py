"""Measure what a frame store saves in loading, its size and its pictures."""

import random
import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate

from ..config.base import with_pipelines
from ..loading.train_data import build_dataset, unwrap_datasets
from .build import build, map_in_threads
from .index import Index
from .sizes import read_short_edge
from .sources import (Source, digest_of, open_frames, rule_of, source_of,
                      stored_reader, weight_of)
from .transforms import GridStoreInit

CLIPS = 16  # clips to load, from different originals
FRAMES = 64  # of an original that are compared with its copies
PARTS = ('open, sample and decode', 'other transforms', 'collate')


class Estimate(NamedTuple):
    """Loading of clips from a frame store.

    Attributes:
        parts (list[float]): See :func:`time_clips`.
        originals (int): Originals of the dataset.
        size (float): Expected size of a store of them in bytes.
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


def time_clips(dataset: Any,
               clips: Sequence[int]) -> Tuple[List[float], List[int]]:
    """Measure the mean time in seconds of each of ``PARTS`` for a clip.

    Prints the files that cannot be loaded, and leaves them out.

    Returns:
        tuple: The times, and the clips that were loaded.

    Raises:
        ValueError: None of them can be loaded.
    """
    times, failed = {}, {}
    # The first one builds and opens what later clips share.
    for index in (clips[0], *clips):
        info = dataset.get_data_info(index)
        path = info.get('filename') or info.get('frame_dir')
        try:
            times[index] = _time_clip(dataset, info)
        except Exception as error:  # decoders raise errors of any type
            failed[path] = f'{type(error).__name__}: {error}'
    for path, error in failed.items():
        print(f'{path}: is left out. {error}')
    if not times:
        raise ValueError('train_dataloader.dataset: no clip can be loaded')
    return np.mean([*times.values()], 0).tolist(), [*times]


def _time_clip(dataset: Any, results: dict) -> np.ndarray:
    parts = np.zeros(len(PARTS))
    begin = time.perf_counter()
    for transform in dataset.pipeline.transforms:
        results = transform(results)
        end = time.perf_counter()
        parts[0 if rule_of(transform).does_io else 1] += end - begin
        begin = end
    pseudo_collate([results])
    parts[-1] += time.perf_counter() - begin
    return parts


def estimate_store(cfg: Config, dataset: Any,
                   clips: Sequence[int]) -> Estimate:
    """Build a small store of full clips, and load from it.

    Args:
        cfg (Config): A config without multigrid.
        dataset (Dataset): Its train dataset, whose pipeline changes.
        clips (Sequence[int]): Clips to measure with.

    Raises:
        ValueError: A frame store does not support the pipeline, or a clip
            cannot be copied.
    """
    config = next(with_pipelines(cfg.train_dataloader.dataset))
    reader = stored_reader(config)
    every = [
        source_of(dataset.get_data_info(index), reader)
        for index in range(len(dataset))
    ]
    sources = [every[index] for index in clips]
    with TemporaryDirectory() as store:
        result = build(sources, Path(store),
                       [read_short_edge(config['pipeline'])])
        if result['failed']:
            raise ValueError(f'frame store: {min(result["failed"].values())}')
        dataset.pipeline = Compose(GridStoreInit.insert(config, store, True))
        size = sum(file.stat().st_size
                   for file in Path(store).rglob('*.mjpeg'))
        some, total = (
            sum(map_in_threads(weight_of, set(each)))
            for each in (sources, every))
        return Estimate(
            time_clips(dataset, clips)[0], len(set(every)),
            size / some * total)


def measure_psnr(index: Index, sources: Sequence[Source]) -> np.ndarray:
    """Compare copies with their originals, which are scaled to their sizes.

    Args:
        index (Index): The store.
        sources (Sequence[Source]): Some originals.

    Returns:
        np.ndarray: Mean PSNR in dB, of shape (originals that have copies and
        can be read, sizes of copies).
    """
    found = []
    for source in sources:
        row = index.find(digest_of(source))
        if row is None:
            continue
        frames = list(islice(open_frames(source)[2], FRAMES))
        found.append([
            np.mean([
                cv2.PSNR(
                    cv2.cvtColor(copied, cv2.COLOR_RGB2BGR),
                    cv2.resize(
                        frame,
                        copied.shape[1::-1],
                        interpolation=cv2.INTER_AREA))
                for frame, copied in zip(
                    frames, index.read(row, edge, np.arange(len(frames))))
            ]) for edge in range(len(index.short_edges))
        ])
    return np.array(found).reshape(-1, len(index.short_edges))
