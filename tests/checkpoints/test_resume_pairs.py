"""Resume runs with other features of a config to the same end."""

import copy
import random

import numpy as np
import pytest
import torch
from mmaction_multigrid import apply_multigrid
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..engine.test_two_processes import in_two_processes
from ..toy import DISTRIBUTED, base_config, new_name

BLENDING = dict(
    type='RandomBatchAugment',
    augments=[
        dict(type='MixupBlending', num_classes=2, alpha=0.8),
        dict(type='CutmixBlending', num_classes=2, alpha=1.)
    ])
# The resumed run's first epoch, inside of the first of three stages.
FIRST = 1

FEATURES = dict(
    auto_scale_lr={'auto_scale_lr': dict(enable=True, base_batch_size=16)},
    bf16={'optim_wrapper.type': 'BFloat16OptimWrapper'},
    ema={
        'custom_hooks':
        [dict(type='EMAHook', momentum=0.1, update_buffers=True)]
    },
    compiled={'compile': dict(backend='eager')},
    accumulation={'optim_wrapper.accumulative_counts': 3},
    capped={'multigrid.max_batch_factor': 7},
    batch_augment={'model.data_preprocessor.blending': BLENDING},
    two_processes={
        'launcher': 'pytorch',
        'model_wrapper_cfg': DISTRIBUTED
    })


class Draws(Hook):
    """Draw from all generators in every iteration, as augmentations do."""

    def __init__(self):
        self.drawn = {}

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs=None):
        self.drawn.setdefault(runner.epoch, []).append(
            (random.random(), np.random.random(), torch.rand(()).item()))


def train(folder, features, checkpoint=None):
    """Train four epochs in three stages, from the start or a checkpoint.

    Returns:
        tuple: The numbers drawn, and the last checkpoint.
    """
    cfg = base_config(
        folder,
        num_clips=76,
        short_cycle=True,
        stages=[
            dict(epochs=2, num_frames=4, crop_size=8),
            dict(epochs=1, num_frames=4),
            dict(epochs=1),
        ])
    cfg.model.cls_head.dropout_ratio = 0.5
    for feature in features.split('+'):
        cfg.merge_from_dict(copy.deepcopy(FEATURES[feature]))
    if checkpoint:
        cfg.resume, cfg.load_from = True, str(checkpoint)
    runner, draws = Runner.from_cfg(new_name(apply_multigrid(cfg))), Draws()
    runner.register_hook(draws)
    runner.train()
    # Stages and the resumed run begin inside a group of accumulated batches.
    assert all(end % 3
               for end in runner.train_loop.first_iters[FIRST:FIRST + 2])
    return draws.drawn, torch.load(folder / 'epoch_4.pth', weights_only=False)


def ends(folder, features):
    """Return the results of a straight run and of a resumed one."""
    return [
        train(folder / 'straight', features),
        train(folder / 'resumed', features,
              folder / 'straight' / f'epoch_{FIRST}.pth')
    ]


def assert_same_end(straight, resumed):
    (drawn, straight), (drawn_again, resumed) = straight, resumed
    assert drawn_again == {
        epoch: numbers
        for epoch, numbers in drawn.items() if epoch >= FIRST
    }
    assert straight['meta']['iter'] == resumed['meta']['iter']
    for part in ('state_dict', 'ema_state_dict', 'optimizer'):
        torch.testing.assert_close(
            resumed.get(part),
            straight.get(part),
            rtol=0,
            atol=0,
            equal_nan=True)


@pytest.fixture(autouse=True)
def clean_dynamo():
    yield
    torch._dynamo.reset()


def test_in_one_process(tmp_path):
    assert_same_end(
        *ends(tmp_path, 'auto_scale_lr+bf16+ema+compiled+accumulation+capped'))


IN_TWO = [
    'two_processes+auto_scale_lr+bf16+compiled+capped',
    'two_processes+batch_augment+ema+accumulation'
]


def on_a_rank(rank, folder):
    found = {
        features: ends(folder / features, features)
        for features in IN_TWO
    }
    try:
        train(folder / 'other', 'two_processes',
              folder / IN_TWO[1] / 'straight' / 'epoch_1.pth')
    except ValueError as error:
        found['refused'] = str(error)
    return found


def test_in_two_processes(tmp_path):
    """Every process draws its own numbers, and refuses another schedule."""
    ranks = in_two_processes(on_a_rank, tmp_path)
    for rank in ranks:
        for features in IN_TWO:
            assert_same_end(*rank[features])
        assert ('accumulative_counts: 3 in the checkpoint, 1 now'
                in rank['refused'])
    drawn = [rank[IN_TWO[1]][0][0].values() for rank in ranks]
    for generator in range(3):
        first = [
            numbers[0][generator] for epochs in drawn for numbers in epochs
        ]
        assert len(set(first)) == 8  # of four epochs on two processes
