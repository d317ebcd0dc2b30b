"""Batches: exact in number, equal on all ranks, in the order of the short cycle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.dataset import DefaultSampler, InfiniteSampler

from mmaction_multigrid.datasets import MultigridBatchSampler
from mmaction_multigrid.schedule import Segment, Shape

STAGES = [dict(epochs=2, shapes=[(4, 4, 8), (2, 4, 11), (2, 4, 11)]), dict(epochs=1, shapes=[(1, 8, 16)])]


def rank_sampler(length, rank=0, world_size=1, round_up=True):
    """A DefaultSampler as it is on one of several ranks."""
    sampler = DefaultSampler(range(length), seed=3, round_up=True)
    sampler.rank, sampler.world_size, sampler.round_up = rank, world_size, round_up
    sampler.num_samples = -(-length // world_size) if round_up else -(-(length - rank) // world_size)
    sampler.total_size = sampler.num_samples * world_size if round_up else length
    return sampler


def batch_sampler(length=40, batch_size=2, stages=STAGES, **kwargs):
    return MultigridBatchSampler(rank_sampler(length), batch_size, stages, **kwargs)


def test_an_epoch_by_hand():
    sampler = batch_sampler(40)
    batches = list(sampler)
    # 8 + 4 + 4 clips a cycle: twice, and 8 clips are left for the third cycle's first batch.
    assert [len(batch) for batch in batches] == [8, 4, 4, 8, 4, 4, 8]
    assert [batch[0][1] for batch in batches[:3]] == [Shape(4, 4, 8), Shape(2, 4, 11), Shape(2, 4, 11)]
    assert len(sampler) == 7
    indices = [index for batch in batches for index, _ in batch]
    assert sorted(indices) == list(range(40))


def test_the_reference_batch_sizes(reference):
    """1,000 clips per GPU: the first nine batches and the number of batches of the reference."""
    given = reference['input']
    per_gpu = given['batch_size'] // given['num_gpus']
    for row in reference['output']['stages']:
        sizes = [size // per_gpu for size in row['short_batch_sizes_per_gpu']]
        stages = [dict(epochs=1, shapes=[(size, 8, 8) for size in sizes])]
        sampler = batch_sampler(1000, per_gpu, stages)
        batches = [len(batch) for batch in sampler]
        assert batches[:9] == row['actual_1000']
        assert len(sampler) == len(batches)


def test_set_epoch_changes_stage_and_order():
    sampler = batch_sampler(40)
    first = list(sampler)
    sampler.set_epoch(1)
    assert [len(b) for b in sampler] == [len(b) for b in first]
    assert list(sampler) != first
    sampler.set_epoch(2)
    assert [len(b) for b in sampler] == [2] * 20
    assert sampler.shape_at(7) == Shape(1, 8, 16)


def test_the_remainder_is_dropped():
    sampler = batch_sampler(37)
    assert [len(batch) for batch in sampler] == [8, 4, 4, 8, 4, 4]
    assert len(sampler) == 6
    assert sampler.base_batches == 18.5
    with sampler.fixed(Shape(20, 8, 16), 1):  # more clips than there are
        assert [len(batch) for batch in sampler] == [37]


def test_fixed_shape_and_back():
    sampler = batch_sampler(40)
    with sampler.fixed(Shape(1, 8, 16), 5) as count:
        assert count == len(sampler) == 5
        assert [[shape for _, shape in batch] for batch in sampler] == [[Shape(1, 8, 16)] * 2] * 5
    with sampler.fixed(Shape(1, 8, 16), 500) as count:
        assert count == 20
    assert [len(batch) for batch in sampler] == [8, 4, 4, 8, 4, 4, 8]


def without_epoch(pieces, epoch):
    """Items of one epoch, as the batch sampler itself yields them."""
    items = [item for piece in pieces for item in piece]
    assert {item[2:] for item in items} <= {(epoch, )}
    return [item[:2] for item in items]


def test_pieces_by_hand():
    sampler = batch_sampler(42)
    whole = list(sampler)
    batches = list(sampler.in_pieces(Segment(0), 3))
    # Of 8, 4, 4, 8, 4, 4 and 8 clips; a third of 8 is 3, and a third of 4 less than the base batch of 2.
    assert [[len(piece) for piece in pieces] for pieces in batches] == [
        [3, 3, 2], [2, 2], [2, 2], [3, 3, 2], [2, 2], [2, 2], [3, 3, 2]]
    assert [without_epoch(pieces, 0) for pieces in batches] == whole
    assert list(sampler.in_pieces(Segment(0), 3, start=6)) == batches[6:]
    fixed = Segment(0, Shape(4, 4, 8), 2)
    assert [[len(piece) for piece in pieces] for pieces in sampler.in_pieces(fixed, 3)] == [[3, 3, 2]] * 2
    assert sampler.length_of(fixed) == 2
    assert list(sampler) == whole


@given(length=st.integers(8, 200), batch_size=st.integers(1, 3), parts=st.integers(1, 20),
       start=st.integers(0, 3))
def test_pieces_are_the_batches(length, batch_size, parts, start):
    stages = [dict(epochs=1, shapes=[(4, 4, 8), (2, 4, 11), (1, 4, 16)])]
    if length < 4 * batch_size:
        return
    sampler = batch_sampler(length, batch_size, stages)
    found = list(sampler.in_pieces(Segment(0), parts, start))
    assert [without_epoch(pieces, 0) for pieces in found] == list(sampler)[start:]
    for pieces in found:
        assert len(pieces) <= parts
        assert all(len(piece) >= batch_size for piece in pieces[:-1])


class LazySampler(DefaultSampler):
    """Asks for its epoch with its first index only."""

    def __iter__(self):
        yield from list(super().__iter__())


@pytest.mark.parametrize('kind', [DefaultSampler, LazySampler])
def test_another_epoch_ahead_leaves_the_current_one_alone(kind):
    sampler = MultigridBatchSampler(kind(range(40), seed=3), 2, STAGES)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    assert epochs[0] != epochs[1]
    sampler.set_epoch(0)
    current = iter(sampler)
    begun = [next(current)]
    for epoch in (2, 1, 0):
        found = [without_epoch(pieces, epoch) for pieces in sampler.in_pieces(Segment(epoch), 4)]
        assert found == epochs[epoch]
        assert sampler.length_of(Segment(epoch)) == len(found)
        assert (sampler.epoch, sampler.sampler.epoch) == (0, 0)
    assert begun + list(current) == epochs[0]


def test_too_few_clips_for_the_coarsest_batch():
    with pytest.raises(ValueError, match=r'the 7 clips .* batch of 8.* train_dataloader.batch_size = 2'):
        batch_sampler(7)


@pytest.mark.parametrize('batch_size', [0, -1, 2., True, None])
def test_impossible_batch_size(batch_size):
    with pytest.raises(ValueError, match='batch_size'):
        batch_sampler(batch_size=batch_size)


@pytest.mark.parametrize('sampler', [InfiniteSampler(range(40)), iter(range(40))])
def test_a_sampler_without_an_end(sampler):
    with pytest.raises(TypeError, match=type(sampler).__name__):
        MultigridBatchSampler(sampler, 2, STAGES)


shapes = st.lists(st.tuples(st.integers(1, 16), st.integers(1, 8), st.integers(1, 8)), min_size=1, max_size=3)


@given(st.data(), st.integers(1, 3000), st.integers(1, 16), st.integers(1, 8), st.booleans(),
       st.lists(shapes, min_size=1, max_size=4))
def test_all_ranks_have_the_same_batches(data, length, world_size, batch_size, round_up, cycles):
    stages = [dict(epochs=data.draw(st.integers(1, 3)), shapes=cycle) for cycle in cycles]
    epoch = data.draw(st.integers(0, sum(stage['epochs'] for stage in stages) - 1))
    ranks = []
    for rank in sorted({0, world_size // 2, world_size - 1}):
        try:
            sampler = MultigridBatchSampler(rank_sampler(length, rank, world_size, round_up), batch_size, stages)
        except ValueError as error:
            assert 'do not fill one batch' in str(error)
            ranks.append('refused')
            continue
        sampler.set_epoch(epoch)
        batches = [[shape for _, shape in batch] for batch in sampler]
        assert len(batches) == len(sampler) == sampler.num_batches(epoch)
        for i, batch in enumerate(batches):
            assert batch == [sampler.shape_at(i)] * (batch_size * sampler.shape_at(i).batch_factor)
        ranks.append(batches)
    assert all(rank == ranks[0] for rank in ranks)
