"""Cap the batches: clips, lr, cost and the cap of ``'auto'``."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction_multigrid.config.auto import auto_settings, make_schedule
from mmaction_multigrid.config.describe import describe
from mmaction_multigrid.config.settings import Settings
from mmaction_multigrid.core.settings import BaseTraining

K400 = BaseTraining(32, 224, 239, (94, 154, 196), 0.1, 34., 0.1)
caps = st.none() | st.integers(1, 20)
exponents = {None: 1., 'linear': 1., 'sqrt': .5, 'none': 0.}


def schedule(base=K400, curve=None, **settings):
    return make_schedule(base, Settings.from_dict(settings), curve)


def test_the_first_stage_by_hand():
    free, capped = schedule(), schedule(max_batch_factor=4)
    assert free.stages[0].shapes == ((16, 8, 112), (8, 8, 158), (8, 8, 158))
    assert capped.stages[0].shapes == ((4, 8, 112), (4, 8, 158), (4, 8, 158))
    # Three iterations show 12 clips, at 4/16 + 4/8 + 4/8 of the cost of a
    # base iteration each: 9.6 clips for one's.
    assert capped.stages[0].average_batch_factor == 4
    assert capped.stages[0].cost_reduction == pytest.approx(12 / 1.25)


def test_explicit_stages_are_capped_too():
    ours = schedule(
        max_batch_factor=2,
        stages=[
            dict(epochs=2, batch_factor=8, num_frames=16, crop_size=112),
            dict(epochs=1)
        ])
    assert ours.stages[0].shapes == ((2, 16, 112), )
    assert ours.lr_factors[0] == (0, 2.)
    assert ours.predicted_speedup == pytest.approx(239 / (2 / 8 + 1))


def test_a_schedule_takes_no_auto():
    with pytest.raises(ValueError, match="max_batch_factor = 'auto'"):
        schedule(max_batch_factor='auto')


@given(caps, st.integers(1, 64), st.sampled_from(['default', 'stage']),
       st.booleans(), st.sampled_from(list(exponents)),
       st.sampled_from([4, 8, 16, 32]), st.integers(16, 256),
       st.floats(0.5, 3.))
def test_every_cap(cap, batch_size, reference, short_cycle, rule, frames, crop,
                   epoch_factor):
    base = BaseTraining(frames, crop, 60, (20, 40))
    settings = dict(
        short_cycle_reference=reference,
        short_cycle=short_cycle,
        epoch_factor=epoch_factor)
    free = schedule(base, **settings)
    capped = schedule(base, max_batch_factor=cap, lr_scaling=rule, **settings)
    assert ([stage.end for stage in capped.stages
             ] == [stage.end for stage in free.stages])
    cost = 0.
    for stage, uncapped in zip(capped.stages, free.stages):
        assert ([shape[1:] for shape in stage.shapes
                 ] == [shape[1:] for shape in uncapped.shapes])
        assert [shape.batch_factor for shape in stage.shapes] == [
            min(shape.batch_factor, cap or 1000) for shape in uncapped.shapes
        ]
        if stage.lr_step < 2:
            expected = base.decay(
                stage.lr_step) * stage.shape.batch_factor**exponents[rule]
            assert capped.lr(stage.begin) == pytest.approx(expected)
        # A clip costs what its frames and pixels cost beside a base clip's.
        clips = sum(shape.batch_factor for shape in stage.shapes)
        if stage.shapes != uncapped.shapes:
            cost += stage.epochs * sum(
                shape.batch_factor / free_shape.batch_factor
                for shape, free_shape in zip(stage.shapes,
                                             uncapped.shapes)) / clips
        else:
            cost += uncapped.epochs / uncapped.average_batch_factor
    assert capped.predicted_speedup == pytest.approx(60 / cost)
    if cap is None:
        assert capped.predicted_speedup == free.predicted_speedup
    # it is the mix of shapes that changes a little
    assert capped.predicted_speedup <= free.predicted_speedup * 1.2


UTD = BaseTraining(16, 56, 70, (28, 47, 58), 0.1)


def test_auto_beside_stages_sets_the_limit_alone():
    asked = Settings.from_dict(
        dict(
            max_batch_factor='auto',
            stages=[
                dict(epochs=2, batch_factor=4, num_frames=8, crop_size=28)
            ]))
    assert auto_settings(UTD, asked, 4, 108) == replace(
        asked, max_batch_factor=2)


@pytest.mark.parametrize(('clips', 'settings'), [
    (431, dict(max_batch_factor=None)),
    (400, dict(max_batch_factor=None)),
    (396, dict(max_batch_factor=2, epoch_factor=1., finish=0.5)),
    (2, dict(max_batch_factor=2, epoch_factor=1., finish=0.5)),
])
def test_auto_follows_the_rule(clips, settings):
    """Base training makes 70 epochs in batches of 4."""
    found = auto_settings(UTD, Settings(max_batch_factor='auto'), 4, clips)
    assert found == Settings(**settings)


def test_json_has_iterations_and_cost():
    info = describe(schedule(max_batch_factor=1), 8, 2, 80)
    assert (info['iterations'], info['base_iterations']) == (358 * 10,
                                                             239 * 10)
    assert info['relative_cost'] == pytest.approx(
        1 / info['predicted_speedup'], abs=1e-4)
    unknown = describe(schedule(), 8)
    assert (unknown['iterations'], unknown['base_iterations']) == (None, None)
