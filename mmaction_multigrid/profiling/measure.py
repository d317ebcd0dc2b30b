"""What a run does beside training steps, measured with the data at hand."""

import random
import time
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Tuple

import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from ..config import apply_multigrid
from ..schedule import Shape
from .build import build_model

CLIPS = 32
SECONDS = 2.
FORWARDS = 8  # clips


def load_seconds(cfg: Config, shapes: Iterable[Shape]
                 ) -> Dict[Optional[Tuple[int, int]], float]:
    """Seconds that one process takes to load a clip of each (frames, crop).

    Under None, one of base training. The mean over up to 32 clips, or as many
    as two seconds are enough for.

    Raises:
        Exception: Whatever the data set makes of files that are not there.
    """
    stock = DATASETS.build(cfg.train_dataloader.dataset)
    ours = DATASETS.build(apply_multigrid(cfg).train_dataloader.dataset)
    order = random.Random(0).choices(range(len(stock)), k=CLIPS + 1)
    return {None: _mean_seconds(stock.__getitem__, order), **{
        shape[1:]: _mean_seconds(lambda i, shape=shape: ours[i, shape], order)
        for shape in shapes}}


def _mean_seconds(load: Callable[[int], dict], order: List[int]) -> float:
    load(order[0])  # what is opened or built once
    begin, times = time.perf_counter(), []
    for index in order[1:]:
        pseudo_collate([load(index)])
        times.append(time.perf_counter() - begin)
        if times[-1] > SECONDS:
            break
    return times[-1] / len(times)


def evaluation_seconds(cfg: Config, device: str,
                       workers: int) -> Optional[float]:
    """Seconds of a validation, from a few of its clips.

    Returns:
        float, optional: None where the config has none or its data are not
        here.
    """
    loader = cfg.get('val_dataloader')
    if not loader or not cfg.get('val_cfg'):
        return None
    try:
        dataset = DATASETS.build(loader.dataset)
        order = [i % len(dataset) for i in range(FORWARDS + 1)]
        loading = _mean_seconds(dataset.__getitem__, order)
    except Exception:  # whatever a data set makes of files that are not there
        return None
    model = build_model(cfg.model).to(device).eval()
    batch = [dataset[0]] * min(FORWARDS, loader.get('batch_size', 1))
    for _ in range(2):  # the first one allocates
        begin = time.perf_counter()
        with torch.no_grad():
            model.val_step(pseudo_collate(batch))
        seconds = (time.perf_counter() - begin) / len(batch)
    return len(dataset) * (
        max(seconds, loading / workers) if workers else seconds + loading)


def base_evaluations(train_cfg: Mapping) -> int:
    """Validations of base training, if it has any."""
    interval = train_cfg.get('val_interval', 1)
    epochs = train_cfg['max_epochs']
    return sum(epoch % interval == 0 or epoch == epochs
               for epoch in range(train_cfg.get('val_begin', 1), epochs + 1))
