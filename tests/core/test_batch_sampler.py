"""Check numbers, order and shapes of batches on all ranks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmaction_multigrid.core.batch_sampler import (PRECISE_BN, TRAIN,
                                                   MultigridBatchSampler)
from mmaction_multigrid.core.shapes import Shape
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import RandomSampler

STAGES = [
    dict(epochs=2, shapes=[(4, 4, 8), (2, 4, 11), (2, 4, 11)]),
    dict(epochs=1, shapes=[(1, 8, 16)])
]


def rank_sampler(length, rank=0, world_size=1, round_up=True):
    """Return a DefaultSampler as on one of several ranks."""
    sampler = DefaultSampler(range(length), seed=3, round_up=True)
    sampler.rank, sampler.world_size = rank, world_size
    sampler.round_up = round_up
    sampler.num_samples = -(-length // world_size) if round_up else -(
        -(length - rank) // world_size)
    sampler.total_size = length
    if round_up:
        sampler.total_size = sampler.num_samples * world_size
    return sampler


def batch_sampler(length=40, batch_size=2, stages=STAGES, **kwargs):
    return MultigridBatchSampler(
        rank_sampler(length), batch_size, stages, **kwargs)


def run(sampler, epoch, number=0):
    """Return the batches of a run from a place on, in pieces."""
    sampler.start_run(epoch, number)
    pieces, found = iter(sampler), []
    for later in range(epoch, sampler.max_epochs):
        for batch in sampler.batches(later):
            if (later, batch.number) < (epoch, number):
                continue
            count = -(-batch.num_clips // sampler.piece_size(batch.num_clips))
            found.append([next(pieces) for _ in range(count)])
    assert next(pieces, None) is None
    return found


def whole(pieces):
    """Join the pieces of a batch; return its items and their epochs."""
    items = [item for piece in pieces for item in piece]
    return [item[:2] for item in items], {item[2] for item in items}


def epochs_of(sampler):
    """Return the batches of each epoch."""
    found = []
    for epoch in range(sampler.max_epochs):
        sampler.set_epoch(epoch)
        found.append(list(sampler))
    sampler.set_epoch(0)
    return found


def test_a_run_by_hand():
    sampler = batch_sampler(42)
    first, second, third = epochs_of(sampler)
    sampler.set_precise_bn(1, Shape(1, 8, 16), 3)
    sampler.max_pieces = 3
    batches = run(sampler, 0)
    # Of 8, 4, 4, 8, 4, 4 and 8 clips; a third of 8 is 3, and a third of 4
    # is less than the base batch of 2.
    assert [[len(piece) for piece in pieces] for pieces in batches[:7]] == [
        [3, 3, 2],
        [2, 2],
        [2, 2],
        [3, 3, 2],
        [2, 2],
        [2, 2],
        [3, 3, 2],
    ]
    assert [whole(pieces) for pieces in batches[:7]] == [(batch, {0})
                                                         for batch in first]
    assert [whole(pieces) for pieces in batches[7:14]] == [(batch, {1})
                                                           for batch in second]
    # The first clips of the epoch, in the base shape.
    order = [index for batch in second for index, _ in batch]
    assert len(set(order)) == 40  # of 42
    assert ([whole(pieces) for pieces in batches[14:17]] == [([
        (index, Shape(1, 8, 16)) for index in order[i:i + 2]
    ], {1}) for i in (0, 2, 4)])
    assert [batch.purpose
            for batch in sampler.batches(1)] == [TRAIN] * 7 + [PRECISE_BN] * 3
    assert [whole(pieces)[0] for pieces in batches[17:]] == third


@pytest.mark.parametrize(('limit', 'factor', 'sizes'), [
    (5, 1, [2] * 5),
    (500, 1, [2] * 18),
    (3, 20, [37]),
    (3, 4, [8] * 3),
])
def test_precise_bn_takes_an_epoch_at_most(limit, factor, sizes):
    sampler = batch_sampler(37)
    sampler.set_precise_bn(0, Shape(factor, 8, 16), limit)
    found = [batch.num_clips for batch in sampler.batches(0)]
    assert found == [8, 4, 4, 8, 4, 4] + sizes
    assert ([sum(map(len, pieces))
             for pieces in run(sampler, 0)][6:][:len(sizes)] == sizes)


@given(
    length=st.integers(8, 200),
    batch_size=st.integers(1, 3),
    parts=st.integers(1, 20),
    place=st.tuples(st.integers(0, 2), st.integers(0, 5)))
def test_a_run_from_any_place_is_the_rest_of_the_run(length, batch_size, parts,
                                                     place):
    if length < 4 * batch_size:
        return
    sampler = batch_sampler(length, batch_size)
    sampler.set_precise_bn(0, Shape(1, 8, 16), 2)
    all_batches = [whole(pieces) for pieces in run(sampler, 0)]
    sampler.max_pieces = parts
    epoch, number = place
    before = sum(len(sampler.batches(e)) for e in range(epoch))
    found = run(sampler, epoch, min(number, len(sampler.batches(epoch)) - 1))
    begin = before + min(number, len(sampler.batches(epoch)) - 1)
    assert [whole(pieces) for pieces in found] == all_batches[begin:]
    for pieces in found:
        assert len(pieces) <= parts
        assert all(len(piece) >= batch_size for piece in pieces[:-1])


class LazySampler(DefaultSampler):
    """Sampler that uses its epoch with its first index only."""

    def __iter__(self):
        yield from list(super().__iter__())


@pytest.mark.parametrize('kind', [DefaultSampler, LazySampler])
def test_loading_ahead_keeps_the_current_epoch(kind):
    sampler = MultigridBatchSampler(kind(range(40), seed=3), 2, STAGES)
    epochs = epochs_of(sampler)
    assert epochs[0] != epochs[1]
    found = [whole(pieces)[0] for pieces in run(sampler, 1)]
    assert found == epochs[1] + epochs[2]
    assert (sampler.epoch, sampler.sampler.epoch) == (0, 0)


def test_a_sampler_without_epochs_follows_seed_and_epoch():

    def runs(seed):
        sampler = MultigridBatchSampler(RandomSampler(range(40)), 2, STAGES)
        sampler.seed = seed
        torch.rand(1)  # the model's random numbers play no role
        return [whole(pieces) for pieces in run(sampler, 0)]

    assert runs(1) == runs(1) != runs(2)
    first = [item for items, _ in runs(1)[:7] for item in items]
    second = [item for items, _ in runs(1)[7:14] for item in items]
    assert first != second


def test_too_few_clips_for_the_coarsest_batch():
    with pytest.raises(
            ValueError,
            match='the 7 clips .* batch of 8.* '
            'train_dataloader.batch_size = 2'):
        batch_sampler(7)


@pytest.mark.parametrize('batch_size', [0, 2., True])
def test_impossible_batch_size(batch_size):
    with pytest.raises(ValueError, match='batch_size'):
        batch_sampler(batch_size=batch_size)


def test_a_sampler_without_an_end():
    with pytest.raises(TypeError, match='InfiniteSampler'):
        MultigridBatchSampler(InfiniteSampler(range(40)), 2, STAGES)


shapes = st.lists(
    st.tuples(st.integers(1, 16), st.integers(1, 8), st.integers(1, 8)),
    min_size=1,
    max_size=3)


@given(st.data(), st.integers(1, 3000), st.integers(1, 16), st.integers(1, 8),
       st.booleans(), st.lists(shapes, min_size=1, max_size=4))
def test_all_ranks_have_the_same_batches(data, length, world_size, batch_size,
                                         round_up, cycles):
    stages = [
        dict(epochs=data.draw(st.integers(1, 3)), shapes=cycle)
        for cycle in cycles
    ]
    epoch = data.draw(
        st.integers(0, (sum(stage['epochs'] for stage in stages) - 1)))
    ranks = []
    for rank in sorted({0, world_size // 2, world_size - 1}):
        try:
            sampler = MultigridBatchSampler(
                rank_sampler(length, rank, world_size, round_up), batch_size,
                stages)
        except ValueError as error:
            assert 'do not fill one batch' in str(error)
            ranks.append('refused')
            continue
        sampler.set_epoch(epoch)
        batches = [[shape for _, shape in batch] for batch in sampler]
        assert len(batches) == len(sampler) == sampler.num_batches(epoch)
        for i, batch in enumerate(batches):
            shape = sampler.stage.shapes[i % len(sampler.stage.shapes)]
            assert batch == [shape] * (batch_size * shape.batch_factor)
        ranks.append(batches)
    assert all(rank == ranks[0] for rank in ranks)
