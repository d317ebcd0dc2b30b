"""What a run does beside training steps, measured on the data and the machine at hand."""

import io
import random
import time
from statistics import median
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple

import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader, Dataset

from ..config import apply_multigrid
from ..schedule import Shape
from .build import build_model

CLIPS = 32
SECONDS = 2.
FORWARDS = 8  # clips


def load_seconds(cfg: Config, shapes: Iterable[Shape]
                 ) -> Dict[Optional[Tuple[int, int]], float]:
    """Seconds that one process takes to load a clip of each (frames, crop).

    Under None, one of base training.

    The mean over up to 32 clips, or as many as two seconds are enough for.

    Raises:
        Exception: Whatever the data set makes of files that are not there.
    """
    stock = DATASETS.build(cfg.train_dataloader.dataset)
    ours = DATASETS.build(apply_multigrid(cfg).train_dataloader.dataset)
    order = random.Random(0).choices(range(len(stock)), k=CLIPS + 1)
    loaders = {None: stock.__getitem__}
    loaders.update((shape[1:], lambda index, shape=shape: ours[index, shape]) for shape in shapes)
    return {shape: _mean_seconds(load, order) for shape, load in loaders.items()}


def _mean_seconds(load, order: list) -> float:
    load(order[0])  # what is opened or built once
    begin, count = time.perf_counter(), 0
    for index in order[1:]:
        pseudo_collate([load(index)])
        count += 1
        if time.perf_counter() - begin > SECONDS:
            break
    return (time.perf_counter() - begin) / count


class _Same(Dataset):
    """A clip that is loaded already, over and over."""

    def __init__(self, clip: Any) -> None:
        self.clip = clip

    def __len__(self) -> int:
        return 2 * FORWARDS

    def __getitem__(self, index: int) -> Any:
        return self.clip


def receive_seconds(cfg: Config) -> float:
    """Seconds that base training takes to receive a clip which a worker has ready; multigrid's clips come together."""
    clip = DATASETS.build(cfg.train_dataloader.dataset)[0]
    batches = iter(DataLoader(_Same(clip), batch_size=2, num_workers=1, collate_fn=pseudo_collate))
    times = []
    for _ in range(FORWARDS):
        time.sleep(0.05)  # until it is there
        begin = time.perf_counter()
        next(batches)
        times.append(time.perf_counter() - begin)
    return median(times) / 2


def evaluation_seconds(cfg: Config, device: str, workers: int) -> Optional[float]:
    """Seconds of a validation, from a few of its clips; None where the config has none, or its data are not here."""
    loader = cfg.get('val_dataloader')
    if not loader or not cfg.get('val_cfg'):
        return None
    try:
        dataset = DATASETS.build(loader.dataset)
        clips = [dataset[0]]
    except Exception:  # whatever a data set makes of files that are not there
        return None
    begin = time.perf_counter()
    clips = [dataset[i % len(dataset)] for i in range(FORWARDS)]
    loading = (time.perf_counter() - begin) / FORWARDS
    model, batch = build_model(cfg.model).to(device).eval(), min(FORWARDS, loader.get('batch_size', 1))
    times = []
    for _ in range(2):  # the first one allocates
        begin = time.perf_counter()
        for first in range(0, FORWARDS, batch):
            with torch.no_grad():
                model.val_step(pseudo_collate(clips[first:first + batch]))
        times.append((time.perf_counter() - begin) / FORWARDS)
    return len(dataset) * (max(times[-1], loading / workers) if workers else times[-1] + loading)


def checkpoint_seconds(model: Mapping, optim_wrapper: Mapping) -> float:
    """Seconds of a checkpoint: weights, and one or two numbers of the optimizer for each."""
    state = build_model(model).state_dict()
    moments = 2 if 'betas' in optim_wrapper['optimizer'] or 'Adam' in str(optim_wrapper['optimizer']['type']) else 1
    begin = time.perf_counter()
    torch.save([state] + [{key: value.clone() for key, value in state.items()} for _ in range(moments)], io.BytesIO())
    return time.perf_counter() - begin


def base_evaluations(cfg: Config) -> int:
    """Validations of base training."""
    train = cfg.train_cfg
    interval, begin = train.get('val_interval', 1), train.get('val_begin', 1)
    return sum(epoch >= begin and (epoch % interval == 0 or epoch == train.max_epochs)
               for epoch in range(1, train.max_epochs + 1)) if cfg.get('val_cfg') else 0


def base_checkpoints(cfg: Config) -> int:
    """Checkpoints of base training."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    interval = hook.get('interval', -1)
    return -(-cfg.train_cfg.max_epochs // interval) if interval > 0 else int(hook.get('save_last', True))
