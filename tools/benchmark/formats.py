"""Compare loading clips from a frame store and from archives of pictures.

    python tools/benchmark/formats.py CONFIG [--clips 100]
    pip install webdataset litdata  # what is not installed is left out

Copies the train videos of a config without multigrid as JPEG pictures into a
frame store, a tar for WebDataset and chunks for LitData, all of the same size
and quality. Then it loads the same clips of each in this process. An archive
returns all pictures of a video, of which those of the clip are decoded.
Prints CPU time, relative to the stock pipeline, and MiB read for a clip.
"""

import argparse
import pickle
import time
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, Callable, List

import cv2
import numpy as np
import torch
from mmaction_multigrid.cli.common import add_config, load_config, print_table
from mmaction_multigrid.config.base import with_pipelines
from mmaction_multigrid.frame_store.build import build
from mmaction_multigrid.frame_store.estimate import first_dataset
from mmaction_multigrid.frame_store.mjpeg import JPEG_OPTIONS, copy_size
from mmaction_multigrid.frame_store.sizes import read_short_edge
from mmaction_multigrid.frame_store.sources import (Source, open_frames,
                                                    rule_of, sources_of)
from mmaction_multigrid.frame_store.transforms import GridStoreInit
from mmcv import imfrombytes
from mmengine.dataset import Compose, pseudo_collate


def pictures_of(source: Source, short_edge: int) -> List[bytes]:
    """Return the frames of a video as a frame store has them."""
    pictures = []
    for frame in open_frames(source)[2]:
        size = copy_size(*frame.shape[1::-1], short_edge)
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        pictures.append(cv2.imencode('.jpg', small, JPEG_OPTIONS)[1].tobytes())
    return pictures


def webdataset(folder: str, videos: List[bytes]) -> Callable:
    """Write a tar; return a function that reads its next video."""
    import webdataset as wds
    path = f'{folder}/videos.tar'
    with wds.TarWriter(path) as tar:
        for number, video in enumerate(videos):
            tar.write({'__key__': f'{number:06}', 'pictures': video})
    stream = iter(wds.WebDataset(path, shardshuffle=False).repeat())
    return lambda index: next(stream)['pictures']


def identity(video: bytes) -> bytes:
    """Return a video as it is, for LitData's workers."""
    return video


def litdata(folder: str, videos: List[bytes]) -> Callable:
    """Write chunks; return a function that reads the video of an index."""
    import litdata as lit
    lit.optimize(
        identity,
        videos,
        folder,
        chunk_bytes='64MB',
        num_workers=1,
        start_method='fork',
        verbose=False)
    return lit.StreamingDataset(folder).__getitem__


def decode(results: dict) -> dict:
    """Decode the pictures of a clip, in the place of the stock transform."""
    imgs = [
        imfrombytes(
            results['pictures'][number], channel_order='rgb', backend='cv2')
        for number in results.pop('frame_inds')
    ]
    shape = imgs[0].shape[:2]
    return dict(results, imgs=imgs, original_shape=shape, img_shape=shape)


def archive_loader(read: Callable, dataset: Any,
                   steps: List[dict]) -> Callable:
    """Return a function that loads the clip of an index from an archive."""
    rules = [rule_of(step) for step in steps]
    transforms = Compose([
        decode if rule.decodes else step for step, rule in zip(steps, rules)
        if not rule.opens
    ])

    def load(index: int) -> dict:
        pictures = pickle.loads(read(index))
        return transforms(
            dict(
                dataset.get_data_info(index),
                pictures=pictures,
                total_frames=len(pictures)))

    return load


def bytes_read() -> int:
    """Return the bytes that this process has read, also from the cache."""
    with open('/proc/self/io') as file:
        return int(file.readline().split()[1])


def measure(load: Callable, clips: int, videos: int) -> np.ndarray:
    """Return CPU seconds and MiB for a clip."""
    load(0)
    seconds, begin = time.process_time(), bytes_read()
    for number in range(1, clips + 1):
        np.random.seed(number)
        pseudo_collate([load(number % videos)])
    used = time.process_time() - seconds, (bytes_read() - begin) / 2**20
    return np.array(used) / clips


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config(parser, clips=False)
    parser.add_argument('--clips', type=int, default=100, help='default: 100')
    args = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    cfg = load_config(args, plain=True)
    config = next(with_pipelines(cfg.train_dataloader.dataset))
    short_edge, sources = read_short_edge(config['pipeline']), sources_of(cfg)
    dataset = first_dataset(cfg)
    with TemporaryDirectory() as folder:
        store = f'{folder}/store'
        build(sources, Path(store), [short_edge])
        pipeline = Compose(GridStoreInit.insert(config, store, True))
        loaders = {
            'stock': dataset.__getitem__,
            'frame store': lambda i: pipeline(dataset.get_data_info(i))
        }
        videos = [
            pickle.dumps(pictures_of(source, short_edge)) for source in sources
        ]
        for write in (webdataset, litdata):
            try:
                read = write(mkdtemp(dir=folder), videos)
            except ImportError as error:
                print(error)
                continue
            loaders[write.__name__] = archive_loader(read, dataset,
                                                     config['pipeline'])
        found = {
            name: measure(load, args.clips, len(sources))
            for name, load in loaders.items()
        }
    for write in (webdataset, litdata):
        if write.__name__ in found:  # LitData maps files instead of reading
            found[write.__name__][1] = np.mean([*map(len, videos)]) / 2**20
    print_table(('from', 'CPU time of a clip, of stock', 'MiB read'),
                [(name, f'{seconds / found["stock"][0]:.2f}', f'{mib:.2f}')
                 for name, (seconds, mib) in found.items()])


if __name__ == '__main__':
    main()
