"""Compare schedules with numbers by hand and the reference implementation.

tests/cli/test_schedule.py compares stages and batches.
"""

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction_multigrid.config.describe import count_iterations
from mmaction_multigrid.core.batch_sampler import MultigridBatchSampler
from mmaction_multigrid.core.loop import list_eval_epochs
from mmaction_multigrid.core.precise_bn import num_precise_bn_batches
from mmaction_multigrid.core.settings import BaseTraining
from mmaction_multigrid.core.stages import count_batches, stages_from_config

from ..config.test_caps import K400, schedule
from ..test_fuzz import trainings


def reference_schedule(data):
    given = data['input']
    base = BaseTraining(given['num_frames'],
                        given['crop_size'], given['max_epochs'],
                        tuple(given['steps'][1:]), given['gamma'],
                        given['warmup_epochs'],
                        given['warmup_start_lr'] / given['base_lr'])
    return schedule(
        base,
        long_cycle=given['long_cycle'],
        short_cycle=given['short_cycle'],
        epoch_factor=given['epoch_factor'],
        long_cycle_factors=given['long_cycle_factors'],
        short_cycle_factors=given['short_cycle_factors'])


def test_the_reference_batch_sizes(reference):
    """Compare the batches of 1,000 clips per GPU."""
    given = reference['input']
    per_gpu = given['batch_size'] // given['num_gpus']
    for row in reference['output']['stages']:
        sizes = [size // per_gpu for size in row['short_batch_sizes_per_gpu']]
        stages = [dict(epochs=1, shapes=[(size, 8, 8) for size in sizes])]
        sampler = MultigridBatchSampler(range(1000), per_gpu, stages)
        batches = [len(batch) for batch in sampler]
        assert batches[:9] == row['actual_1000']
        assert len(sampler) == len(batches)


def test_lr_at_every_half_epoch_equals_the_reference(reference):
    ours = reference_schedule(reference)
    for epoch, lr in reference['output']['lr']:
        assert ours.lr(epoch) * reference['input']['base_lr'] == pytest.approx(
            lr, rel=1e-9)


def test_default_schedule_by_hand():
    default = schedule()
    assert [stage.end for stage in default.stages] == [
        73, 110, 142, 158, 205, 228, 248, 259, 291, 308, 322, 329, 358
    ]
    assert default.stages[0].shapes == ((16, 8, 112), (8, 8, 158), (8, 8, 158))
    assert default.stages[2].shapes == ((8, 16, 112), (4, 16, 158), (2, 16,
                                                                     224))
    assert list_eval_epochs(default.stages[0], 3) == [25, 49, 73]
    # The warm-up is not stretched, and ends at the scheduled lr.
    assert ([default.lr(epoch) for epoch in (0, 17, 34, 72.999, 73)
             ] == pytest.approx([0.1, (0.1 + 8) / 2, 8., 8., 4.]))
    # The first half of fine-tuning has the lr before it.
    factors = dict(default.lr_factors)
    assert ([factors[epoch] for epoch in (329, (329 + 358) // 2)
             ] == pytest.approx([0.1**2, 0.1**3]))
    # 152 epochs of 32/3 clips per base clip, 77 of 16/3, 66 of 14/3 and 63
    # of 7/3.
    iterations = 152 / (32 / 3) + 77 / (16 / 3) + 66 / (14 / 3) + 63 / (7 / 3)
    assert default.predicted_speedup == pytest.approx(239 / iterations)


def test_the_stage_reference_scales_the_short_cycle():
    stage = schedule(short_cycle_reference='stage')
    assert stage.stages[0].shapes == ((32, 8, 79), (16, 8, 112), (8, 8, 158))
    assert stage.stages[3].shapes == schedule().stages[3].shapes
    assert [s.end for s in stage.stages] == [s.end for s in schedule().stages]
    assert stage.lr_factors == schedule().lr_factors
    assert stage.predicted_speedup == pytest.approx(4.15, abs=0.01)


def test_long_cycle_alone():
    alone = schedule(short_cycle=False)
    assert ([len(stage.shapes)
             for stage in alone.stages] == [1] * len(alone.stages))
    # Of 94 epochs shape k gets 94 b_k / (8 + 4 + 2 + 1); the last step saves
    # 15/4 like the rest, then all is
    # stretched to 358.5 epochs.
    fine_tuning = 43 * 4 / 15
    stretch = 358.5 / (196 + fine_tuning)
    assert alone.stages[0].end == round(94 * 8 / 15 * stretch)
    assert alone.stages[-1].epochs == 358 - round(196 * stretch)


def test_a_schedule_without_decays_cycles_through_thirds():

    def curve(epoch):
        return (1 + math.cos(math.pi * epoch / 90)) / 2

    cosine = schedule(BaseTraining(32, 224, 90), curve)
    assert ([stage.lr_step
             for stage in cosine.stages] == [0] * 4 + [1] * 4 + [2] * 4 + [3])
    clock = {span.begin: span for span in cosine.lr.clock}
    for stage in cosine.stages:
        assert clock[stage.begin].end == stage.end
        assert (cosine.lr(stage.begin) /
                stage.shape.batch_factor == pytest.approx(
                    curve(clock[stage.begin].base_begin)))
    # The first third of base training ends where the second long cycle begins.
    assert clock[cosine.stages[4].begin].base_begin == pytest.approx(30)
    assert cosine.lr(cosine.max_epochs) == pytest.approx(0, abs=1e-12)


def test_explicit_stages():
    ours = schedule(stages=[
        dict(
            epochs=2,
            batch_factor=3,
            num_frames=16,
            crop_size=112,
            lr_factor=1.5),
        dict(epochs=4)
    ])
    assert [(s.begin, s.end, s.shapes)
            for s in ours.stages] == [(0, 2, ((3, 16, 112), )),
                                      (2, 6, ((1, 32, 224), ))]
    # The second stage follows the base schedule, whose decays come at 94,
    # 154 and 196 of 239 epochs, here of 6.
    assert ours.lr_factors == [
        (0, 1.5), (2, 1.),
        *((pytest.approx(decay * 6 / 239), pytest.approx(0.1**(i + 1)))
          for i, decay in enumerate((94, 154, 196)))
    ]
    assert ours.predicted_speedup == pytest.approx(239 / (2 / 3 + 4))


def test_frames_are_multiples_for_the_network():
    base = BaseTraining(16, 224, 239, (94, 154, 196), frame_multiple=8)
    ours = schedule(base)
    # A quarter would be 4 frames, half the shortest clip; 16 x 224 x 224
    # over 8 x 158 x 158 is 4.02.
    assert ours.stages[0].shapes == ((8, 8, 112), (4, 8, 158), (4, 8, 158))
    assert {stage.shape.num_frames for stage in ours.stages} == {8, 16}
    with pytest.raises(
            ValueError,
            match='num_frames = 12: the network takes clips of a multiple of 8'
    ):
        schedule(base, stages=[dict(epochs=1, num_frames=12)])


def test_a_warmup_over_several_stages_rises_to_the_lr_at_its_end():
    long = schedule(replace(K400, warmup_epochs=100.))
    assert ([long.lr(epoch) for epoch in (0, 50, 80, 100)
             ] == pytest.approx([0.1, 2.05, 3.22, 4.]))


def test_iterations_are_counted_by_shape():
    ours = schedule(
        stages=[
            dict(epochs=3, batch_factor=2, num_frames=16, crop_size=224),
            dict(epochs=5)
        ],
        short_cycle=True)
    # Batches of 16, 8 and 4 clips, then of 8, 4 and 2: 61 clips are two
    # cycles, or four, and a rest that is dropped.
    assert ours.stages[0].shapes == ((8, 16, 112), (4, 16, 158), (2, 16, 224))
    assert count_batches(ours.stages[0].shapes, 2, 61) == [2, 2, 2]
    assert count_batches(ours.stages[0].shapes, 2, 72) == [3, 2, 2]
    assert count_batches(ours.stages[1].shapes, 2, 61) == [4, 4, 4]
    assert (count_batches(ours.stages[1].shapes, 2, 7) == [0, 0, 0]
            )  # the first batch is missing, and with it the others
    assert count_iterations(ours, 2, 72) == 9 + 6 + 6 + 25 + 25 + 25


@pytest.mark.parametrize('entry', [
    dict(epochs=1),
    dict(epochs=0, shapes=[(1, 8, 8)]),
    dict(epochs=1, shapes=[]),
    dict(epochs=1, shapes=[(0, 8, 8)]),
    dict(epochs=1, shapes=[(1, 8)]), 3
])
def test_broken_stages_of_a_config(entry):
    with pytest.raises((ValueError, TypeError, KeyError), match='stages'):
        stages_from_config([entry])


@given(trainings(), st.booleans(), st.floats(1e-3, 0.5))
def test_a_refusal_names_the_least_epochs(base, long_cycle, epoch_factor):
    settings = dict(long_cycle=long_cycle, epoch_factor=epoch_factor)
    try:
        ours = schedule(base, **settings)
    except ValueError as error:
        least = int(
            re.match(r'multigrid\.epoch_factor = .* at least (\d+) epochs',
                     str(error))[1])
        assert least > base.max_epochs
        base = replace(base, max_epochs=least)
        ours = schedule(base, **settings)
        # Half an epoch is rounded either way, by what its float comes to.
        if (least - 1) * epoch_factor != pytest.approx(0.5):
            with pytest.raises(ValueError, match='at least'):
                schedule(replace(base, max_epochs=least - 1), **settings)
    assert ours.stages[-1].shape == base.shape


@pytest.mark.parametrize('epochs', [1, 2, 3, 7])
def test_short_curves_end_on_the_full_shape(epochs):
    ours = schedule(
        BaseTraining(32, 224, epochs), lambda epoch: 1 - epoch / epochs)
    assert ours.stages[-1].shape == (1, 32, 224)
    assert ours.max_epochs == round(1.5 * epochs)
    assert ours.lr(ours.max_epochs) == pytest.approx(0.)


@pytest.mark.parametrize(
    ('limit', 'iterations', 'clips', 'last', 'expected'),
    [
        (200, 10000, 64, False, 200),  # the setting is the limit
        (200, 2399, 8, False, 119),  # one for twenty iterations
        (200, 20, 5, False, 7),  # 32 clips at the least
        (200, 20, 4, True, 50),  # 200 clips before the last evaluation
        (40, 20, 4, True, 40),
    ])
def test_precise_bn_costs_a_twentieth(limit, iterations, clips, last,
                                      expected):
    assert num_precise_bn_batches(limit, iterations, clips, last) == expected
