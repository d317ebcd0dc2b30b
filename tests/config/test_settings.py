"""Raise one clear error for every wrong setting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction_multigrid.config.settings import Settings
from mmaction_multigrid.core.stages import bn_group_size


def test_defaults_are_the_papers():
    settings = Settings.from_dict({})
    assert settings.active
    assert vars(settings) == dict(
        long_cycle=True,
        short_cycle=True,
        epoch_factor=1.5,
        long_cycle_factors=((0.25, 0.5**0.5), (0.5, 0.5**0.5), (0.5, 1), (1,
                                                                          1)),
        short_cycle_factors=(0.5, 0.5**0.5),
        short_cycle_reference='default',
        batch_factors='cost',
        eval_freq=3,
        precise_bn=200,
        grid_store_full=False,
        allow_untested=False,
        finish='short_cycle',
        **dict.fromkeys(
            ('bn_base_size', 'stages', 'cycle_ends', 'max_batch_factor',
             'lr_scaling', 'crop_multiple', 'grid_store')))
    # 8 is the paper's base batch.
    assert [bn_group_size(None, n) for n in (1, 4, 8, 32)] == [1, 4, 8, 8]


@pytest.mark.parametrize(('values', 'error', 'message'), [
    (dict(longcycle=True), ValueError,
     "no key 'longcycle' .*allowed are long_cycle"),
    (dict(long_cycle=1), TypeError, 'long_cycle = 1: must be True or False'),
    (dict(epoch_factor=0), ValueError,
     'epoch_factor = 0: must be a number above 0'),
    (dict(long_cycle_factors=[]), ValueError, r'long_cycle_factors = \[\]'),
    (dict(long_cycle_factors=[1, 1]), TypeError, 'long_cycle_factors'),
    (dict(long_cycle_factors=[(1, 2)]), ValueError,
     'long_cycle_factors = 2: .* at most 1'),
    (dict(short_cycle_factors=(0, )), ValueError, 'short_cycle_factors'),
    (dict(short_cycle_reference='base'), ValueError,
     "short_cycle_reference = 'base'.*'default' or 'stage'"),
    (dict(max_batch_factor=0), ValueError,
     'max_batch_factor = 0: must be None, an integer of at '
     "least 1, or 'auto'"),
    (dict(max_batch_factor='Auto'), TypeError, "'Auto': .*or 'auto'"),
    (dict(precise_bn=-1), ValueError, 'precise_bn'),
    (dict(cycle_ends=(0.5, 0.2)), ValueError, 'cycle_ends'),
    (dict(stages=[3]), TypeError, 'stages = 3: must be a dict'),
    (dict(stages=[dict(epochs=1, frames=2)]), ValueError,
     r"stages = \{.*'frames': 2\}: must be a dict with the keys"),
    (dict(stages=[dict(num_frames=2)]), ValueError,
     'stages = .*all but epochs may be missing'),
    (dict(stages=[dict(epochs=1), dict(epochs=0)]), ValueError,
     r'stages\.epochs = 0'),
    (dict(stages=[dict(epochs=1)],
          epoch_factor=2), ValueError, 'epoch_factor = 2: has no meaning'),
    (dict(finish=True), TypeError, "finish = True.*'short_cycle', 'full' or"),
    (dict(finish='full', stages=[dict(epochs=1)
                                 ]), ValueError, 'finish .*stages'),
    (dict(batch_factors=[(1, 2, 0)]), ValueError, 'batch_factors'),
    (dict(batch_factors=['abc']), TypeError, 'batch_factors'),
])
def test_one_clear_error(values, error, message):
    with pytest.raises(error, match=message) as raised:
        Settings.from_dict(values)
    assert 'multigrid' in str(raised.value)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats()
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(max_size=3), inner, max_size=3),
    max_leaves=6)


@given(st.sampled_from(sorted(Settings.__dataclass_fields__)), junk)
def test_junk_is_accepted_or_refused_by_name(key, value):
    try:
        Settings.from_dict({key: value})
    except (TypeError, ValueError) as error:
        assert f'multigrid.{key}' in str(error)
