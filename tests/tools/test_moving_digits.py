"""The demo's videos: real files, the same from the same seed, made once."""

import numpy as np
import pytest

from ..conftest import ROOT
from ..small import load_tool, run

TOOL = ROOT / 'tools' / 'data' / 'moving_digits.py'


@pytest.fixture(scope='module')
def digits_tool():
    return load_tool('data/moving_digits')


def test_the_class_is_the_motion(digits_tool):
    """Of the motions right and left, the digit's mask goes the way that the name says."""
    digit = np.ones((8, 8), np.float32)
    for name in digits_tool.MOTIONS:
        if name not in ('right', 'left', 'up', 'down'):
            continue
        x = digits_tool.poses([name], 24, np.random.default_rng(0))[:, :2]
        axis, sign = dict(right=(0, 1), left=(0, -1), down=(1, 1), up=(1, -1))[name]
        assert (sign * np.diff(x[:, axis]) > 0).all()
        np.testing.assert_allclose(np.diff(x[:, 1 - axis]), 0, atol=1e-12)
    assert digits_tool.render(digit[None], 0, digits_tool.Settings(), np.random.default_rng(0)).shape == (24, 64, 64, 3)


def test_a_clip_depends_on_its_seed_and_index_only(digits_tool, tmp_path):
    settings = digits_tool.Settings(num_train=2, num_val=1, num_frames=4, size=32)
    digits = digits_tool.split_digits(0)
    clips = []
    for name in ('a', 'b'):
        (tmp_path / name / 'videos' / 'train').mkdir(parents=True)
        for index in ((0, 1) if name == 'a' else (1, 0)):
            digits_tool.make_clip(('train', index), tmp_path / name, settings, digits)
        clips.append([(tmp_path / name / 'videos' / 'train' / f'0000{i}.mp4').read_bytes() for i in range(2)])
    assert clips[0] == clips[1]
    assert clips[0][0] != clips[0][1]


def test_splits_share_no_digit(digits_tool):
    digits = digits_tool.split_digits(0)
    assert (len(digits['train']), len(digits['val'])) == (1348, 449)


def test_made_once_and_anew_for_other_settings(tmp_path):
    out = tmp_path / 'data'
    out.mkdir()
    (out / 'notes.txt').write_text('mine')
    command = [TOOL, out, '--num-train', 1, '--num-val', 1, '--num-frames', 2, '--size', 32]
    with pytest.raises(AssertionError, match='must be new, an empty folder or made by this tool'):
        run(*command)
    (out / 'notes.txt').unlink()
    assert 'data: made' in run(*command)
    assert 'data: already there' in run(*command)
    assert 'data: made' in run(*command, '--seed', 1)


@pytest.mark.parametrize(('key', 'value'), [('size', 40), ('classes', 1), ('num_train', 0), ('num_frames', 2.5),
                                            ('parts', 0), ('classes', 17), ('distractors', -1), ('shake', True),
                                            ('noise', 129)])
def test_impossible_settings(digits_tool, key, value):
    with pytest.raises(ValueError, match=f'{key} = {value}'):
        digits_tool.Settings(**{key: value})
