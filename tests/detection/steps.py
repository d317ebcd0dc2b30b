"""Train a step of each config at each of its shapes.

python steps.py CONFIG...
"""

import sys
from pathlib import Path

import torch
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.batch_norm import (convert_sub_batch_norm,
                                                set_bn_splits)
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.models.positions import interpolate_pos_embeds
from mmaction_multigrid.profiling.steps import profile_steps
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmaction.registry import DATASETS, MODELS

torch.set_num_threads(1)
init_default_scope('mmaction')
for path in sys.argv[1:]:
    stock = Config.fromfile(path)
    pipeline, cfg = stock.train_pipeline, apply_multigrid(stock)
    loader = cfg.train_dataloader
    dataset, model = DATASETS.build(loader.dataset), MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    layers = convert_sub_batch_norm(model.train())
    interpolate_pos_embeds(model)
    shapes = {
        tuple(shape)
        for stage in loader.batch_sampler.stages for shape in stage['shapes']
    }
    # as `check` measures it
    profile, = profile_steps(
        cfg.model, [Shape(*min(shapes))], 1, repeats=1, pipeline=pipeline)
    assert profile.works, profile.error
    for shape in sorted(shapes):
        set_bn_splits(layers, shape[0])
        clips = [dataset[i % len(dataset), shape] for i in range(shape[0])]
        assert all(clip['inputs'].shape[-3:] == (shape[1], shape[2], shape[2])
                   for clip in clips)
        loss = model.train_step(pseudo_collate(clips), optimizer)['loss']
        print(Path(path).stem, *shape, f'{loss:.3f}')
