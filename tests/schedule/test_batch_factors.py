"""Batch factors by measured times."""

import re

import pytest

from mmaction_multigrid import MultigridSchedule
from mmaction_multigrid.schedule import BaseTraining, Settings, Shape, read_batch_factors, write_batch_factors

BASE = BaseTraining(8, 16, 60, (20, 40))
# All that the default schedule has; by cost: 16, 8, 8, 4, 2, 4, 2, 1.
MEASURED = ((2, 8, 12), (2, 11, 7), (4, 8, 9), (4, 11, 5), (4, 16, 2), (8, 8, 6), (8, 11, 3), (8, 16, 1))


def shapes(**settings):
    return {shape for stage in MultigridSchedule(BASE, Settings.from_dict(settings)).stages for shape in stage.shapes}


def test_batches_are_those_that_were_measured():
    assert shapes(batch_factors=MEASURED) == {Shape(factor, frames, crop) for frames, crop, factor in MEASURED}
    assert shapes(batch_factors=MEASURED, max_batch_factor=4) == {
        Shape(min(factor, 4), frames, crop) for frames, crop, factor in MEASURED}


def test_what_all_shapes_cost_anyway_changes_nothing():
    """Nor do epochs or lr, but for crops that the paper's mean does not round."""
    cost = tuple((frames, crop, factor) for factor, frames, crop in shapes(crop_multiple=1))
    ours = MultigridSchedule(BASE, Settings.from_dict(dict(batch_factors=cost)))
    assert [stage.shapes for stage in ours.stages] == [stage.shapes for stage in MultigridSchedule(BASE).stages]
    assert ours.predicted_speedup == pytest.approx(MultigridSchedule(BASE).predicted_speedup, rel=0.05)


def test_lr_and_length_of_stages_follow():
    """A stage has epochs in proportion to its mean batch factor, and its own batch factor's lr."""
    ours = MultigridSchedule(BASE, Settings.from_dict(dict(batch_factors=MEASURED)))
    first = ours.stages[:4]
    assert [stage.average_batch_factor for stage in first] == [26 / 3, 19 / 3, 16 / 3, 10 / 3]
    assert [factor for _, factor in ours.lr_factors[:4]] == [7, 5, 2, 1]
    share = [stage.epochs / first[0].epochs for stage in first]
    assert share == pytest.approx([1, 19 / 26, 16 / 26, 10 / 26], abs=1 / first[0].epochs)


def test_a_file_and_back(tmp_path):
    seconds = {Shape(factor, frames, crop): 0.5 * factor for frames, crop, factor in MEASURED}
    path = str(tmp_path / 'times.json')
    write_batch_factors(path, BASE.shape, seconds, seconds, 'cpu')
    assert read_batch_factors(path, BASE.shape) == MEASURED
    with pytest.raises(ValueError, match=r'measured with base clips of 8 frames x 16 pixels, and these have 8 x 24'):
        read_batch_factors(path, Shape(1, 8, 24))


@pytest.mark.parametrize('text', ['', '[]', '{"base": [8, 16]}', '{"base": [8, 16], "shapes": [{"num_frames": 2}]}', (
    '{"base": [8, 16], "shapes": [{"num_frames": 2, "crop_size": 8, "batch_factor": 0.5}]}'), '{"base": 3}'])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / 'times.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(f"multigrid.batch_factors = '{path}': ")):
        read_batch_factors(str(path), BASE.shape)


def test_shapes_that_nobody_measured():
    with pytest.raises(ValueError, match='multigrid.batch_factors: 2 frames x 11 pixels were not measured, but 8 x 16; '):
        shapes(batch_factors=((8, 16, 1), ))


@pytest.mark.parametrize('value', [3, None, '', [], [(1, 2)], [(1, 2, 0)], [(1, 2, True)], ['abc'], {}])
def test_errors(value):
    with pytest.raises((TypeError, ValueError), match=r'multigrid\.batch_factors'):
        Settings.from_dict(dict(batch_factors=value))
