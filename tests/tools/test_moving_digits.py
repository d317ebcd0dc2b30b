"""Make the videos of the demo: the same from the same seed, once."""

import numpy as np
import pytest

from ..conftest import ROOT
from ..small import load_tool, run

TOOL = ROOT / 'tools' / 'data' / 'moving_digits.py'
tool = load_tool('data/moving_digits')


@pytest.mark.parametrize(('name', 'axis', 'sign'), [
    ('right', 0, 1),
    ('left', 0, -1),
    ('down', 1, 1),
    ('up', 1, -1),
])
def test_the_class_is_the_motion(name, axis, sign):
    path = tool.poses([name], 24, np.random.default_rng(0))
    steps = np.diff(path, axis=0)
    assert path.shape == (24, 4) and (sign * steps[:, axis] > 0).all()
    np.testing.assert_allclose(np.delete(steps, axis, 1), 0, atol=1e-12)


def test_a_clip_depends_on_its_seed_and_index_only(tmp_path):
    settings = tool.Settings(num_train=2, num_val=1, num_frames=4, size=32)
    digits, clips = tool.split_digits(0), []
    assert (len(digits['train']), len(digits['val'])) == (1348, 449)
    for name, order in (('a', (0, 1)), ('b', (1, 0))):
        folder = tmp_path / name / 'videos' / 'train'
        folder.mkdir(parents=True)
        for index in order:
            tool.make_clip(('train', index), tmp_path / name, settings, digits)
        clips.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert clips[0] == clips[1] and clips[0][0] != clips[0][1]


def test_made_once_and_anew_for_other_settings(tmp_path):
    out = tmp_path / 'data'
    out.mkdir()
    (out / 'notes.txt').write_text('mine')
    settings = tool.Settings(num_train=1, num_val=1, num_frames=2, size=32)
    with pytest.raises(ValueError, match='must be new, an empty folder'):
        tool.make_dataset(out, settings)
    (out / 'notes.txt').unlink()
    command = [
        TOOL, out, '--num-train', 1, '--num-val', 1, '--num-frames', 2,
        '--size', 32
    ]
    assert 'data: made' in run(*command)
    assert not tool.make_dataset(out, settings)
    assert 'data: made' in run(*command, '--seed', 1)


@pytest.mark.parametrize(('key', 'value'), [('size', 40), ('classes', 17),
                                            ('parts', 0)])
def test_impossible_settings(key, value):
    with pytest.raises(ValueError, match=f'{key} = {value}'):
        tool.Settings(**{key: value})
