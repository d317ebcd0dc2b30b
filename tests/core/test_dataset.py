"""Load clips in their batch's shape through wrappers and workers."""

import pytest
from mmaction_multigrid.config.pipeline import wrap
from mmaction_multigrid.core.batch_sampler import MultigridBatchSampler
from mmaction_multigrid.core.dataset import (ClipShape, MultigridDataset,
                                             current_epoch)
from mmaction_multigrid.core.shapes import Shape
from mmengine.dataset import DefaultSampler, pseudo_collate
from torch.utils.data import DataLoader

from ..toy import pipeline

COARSE, BASE = Shape(8, 2, 8), Shape(1, 8, 16)


def wrapped(dataset=None, extra=()):
    steps = pipeline(extra=extra)
    toy = dict(
        type='ToyDataset',
        num_clips=24,
        pipeline=[wrap(step) for step in steps])
    config = dataset(toy) if dataset else toy
    data = MultigridDataset(config, (8, 16))
    data.full_init()
    return data


WRAPPERS = dict(
    plain=None,
    nested=lambda toy: dict(
        type='RepeatDataset',
        dataset=dict(type='ConcatDataset', datasets=[toy, toy]),
        times=2))


@pytest.mark.parametrize('kind', WRAPPERS)
def test_shapes_go_through_wrappers(kind):
    data = wrapped(WRAPPERS[kind])
    last = len(data) - 1
    assert data[(last, COARSE)]['inputs'].shape == (1, 3, 2, 8, 8)
    assert data[(last, BASE)]['inputs'].shape == (1, 3, 8, 16, 16)
    assert data[last]['inputs'].shape == (1, 3, 8, 16, 16)


@pytest.mark.parametrize('base_shape', [(8, ), (8, 0), (8., 16)])
def test_an_impossible_base_shape(base_shape):
    with pytest.raises(ValueError, match='base_shape'):
        MultigridDataset(dict(type='ToyDataset'), base_shape)


@pytest.mark.parametrize(('frames', 'crop', 'is_base'), [
    (8, 16, True),
    (8, 8, False),
    (2, 16, False),
])
def test_the_base_shape_has_all_frames_and_pixels(frames, crop, is_base):
    assert ClipShape(frames, crop, 8, 16).is_base is is_base


def test_an_epoch_ahead_is_taken_once_there_is_a_seed():
    epochs = type('Epochs', (), dict(__getitem__=lambda *_: current_epoch()))
    data = MultigridDataset(epochs(), (8, 16))
    assert data[(0, COARSE, 3)] == -1
    data.set_epoch(0, 2)
    assert (data[(0, COARSE)], data[(0, COARSE, 3)]) == (2, 3)


def test_a_worker_follows_stages_and_epochs():
    """One process serves every stage, with a copy of the dataset."""
    data = wrapped()
    sampler = MultigridBatchSampler(
        DefaultSampler(data, shuffle=False), 1, [
            dict(epochs=2, shapes=[COARSE, (2, 8, 16)]),
            dict(epochs=1, shapes=[BASE])
        ])
    loader = DataLoader(
        data,
        batch_sampler=sampler,
        num_workers=1,
        persistent_workers=True,
        multiprocessing_context='spawn',
        collate_fn=pseudo_collate)

    def epoch(number, key):
        sampler.set_epoch(number)
        data.set_epoch(0, key)
        batches = [batch['inputs'] for batch in loader]
        shapes = [(len(b), b[0].shape[-3], b[0].shape[-1]) for b in batches]
        assert all(clip.shape == batch[0].shape for batch in batches
                   for clip in batch)
        sums = [
            float(clip.float().sum()) for batch in batches for clip in batch
        ]
        return shapes, sums, loader._iterator._workers[0].pid

    shapes, first, pid = epoch(0, 0)
    assert shapes == 2 * [COARSE, (2, 8, 16)]
    assert epoch(1, 1)[1] != first
    assert epoch(1, 0)[1] == first
    assert epoch(2, 2)[::2] == ([BASE] * 24, pid)


def frames_seen(data, *items):
    return [int(data[item]['inputs'].float().sum()) for item in items]


def test_random_numbers_follow_from_seed_epoch_and_index():
    data = wrapped()
    items = [(index, COARSE) for index in range(12)]
    data.set_epoch(7, 3)
    first = frames_seen(data, *items)
    assert frames_seen(data, *reversed(items)) == first[::-1]
    for other in ((7, 4), (8, 3)):
        data.set_epoch(*other)
        assert frames_seen(data, *items) != first
    data.set_epoch(7, 3)
    assert frames_seen(data, *items) == first
    # Workers load ahead, also while the first epoch is trained.
    data.set_epoch(7, 0)
    ahead = [(*item, 3) for item in items]
    assert frames_seen(data, *ahead) == first
