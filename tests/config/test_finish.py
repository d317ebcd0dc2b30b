"""Finish on full clips alone, against numbers written by hand."""

import pytest
from mmaction_multigrid.cli.schedule import print_stages
from mmaction_multigrid.config.base_lr import BaseLR
from mmaction_multigrid.config.describe import count_iterations, describe
from mmaction_multigrid.core.settings import BaseTraining

from .test_caps import schedule


def test_steps():
    """7 and 29 epochs with batches of 4, 2 and 1 become 36 * 3 / 7 full."""
    paper, ours = schedule(), schedule(finish='full')
    assert [(s.begin, s.end) for s in paper.stages[-2:]] == [(322, 329),
                                                             (329, 358)]
    assert ours.stages[:-1] == paper.stages[:-2]
    last = ours.stages[-1]
    assert (last.begin, last.end, last.shapes) == (322, 337, ((1, 32, 224), ))
    # The lr of the third step, 0.01, falls to a hundredth over 15 epochs.
    assert ours.lr(322 - 1e-6) == pytest.approx(0.02)
    assert ours.lr(322) == pytest.approx(0.01)
    assert ours.lr(329.5) == pytest.approx((0.01 + 0.0001) / 2)
    assert ours.lr(336.9) == pytest.approx(0.0001 + 0.0099 / 150)
    assert ours.lr(337) == ours.lr(400) == pytest.approx(0.0001)
    shown = describe(ours, 8)
    assert shown['lr_factors'][-15:] == [
        [322 + i, pytest.approx(0.01 - 0.0099 * i / 15)] for i in range(15)
    ]
    assert shown['stages'][-1]['shapes'] == [[1, 32, 224]]
    assert shown['stages'][-1]['bn_splits'] == 1
    assert shown['predicted_speedup'] == pytest.approx(
        paper.predicted_speedup, rel=0.02)


@pytest.mark.parametrize('settings', [{},
                                      dict(max_batch_factor=2),
                                      dict(short_cycle=False),
                                      dict(short_cycle_reference='stage'),
                                      dict(long_cycle=False),
                                      dict(cycle_ends=(0.5, 0.8))])
def test_the_number_of_iterations_stays(settings):
    """Rounding adds or removes half an epoch of the full shape at most."""
    paper, ours = schedule(**settings), schedule(**settings, finish='full')
    clips = 10**6
    assert count_iterations(ours, 8, clips) == pytest.approx(
        count_iterations(paper, 8, clips), abs=clips / 8 / 2 + 1000)
    assert {shape[1:] for shape in ours.stages[-1].shapes} == {(32, 224)}
    begin = ours.stages[-1].begin
    assert ours.lr(begin) == pytest.approx(paper.lr(begin))


def test_a_share_of_all_iterations():
    ours = schedule(finish=0.1)
    assert ours.stages[-1].epochs / sum(s.epochs / s.average_batch_factor
                                        for s in ours.stages) == pytest.approx(
                                            0.1, abs=0.01)


def test_a_curve_keeps_its_course():
    cosine = BaseLR(
        [dict(type='CosineAnnealingLR', T_max=100, eta_min=0, by_epoch=True)],
        100, None, [0.1])
    base = BaseTraining(8, 48, 100)
    paper, ours = (
        schedule(base, cosine, finish=finish)
        for finish in ('short_cycle', 'full'))
    last, replaced = ours.stages[-1], paper.stages[-2:]
    assert last.begin == replaced[0].begin
    assert ours.lr(last.begin) == paper.lr(last.begin)
    # Its end stands for the end of base training.
    middle = (paper.spans[-2].base_begin + 100) / 2
    assert ours.lr(last.begin + last.epochs / 2) == pytest.approx(
        cosine(middle), rel=0.02)
    assert ours.lr(last.end - 0.01) < 1e-3


def test_one_epoch_is_one_full_stage():
    ours = schedule(BaseTraining(8, 48, 1), finish='full')
    assert [stage.shapes for stage in ours.stages] == [((1, 8, 48), )]
    assert ours.lr(0.) == 1


def test_a_linear_fall_is_one_cell_of_the_table(capsys):
    print_stages(describe(schedule(finish='full'), 8), 8)
    line, = (
        line for line in capsys.readouterr().out.splitlines()
        if line.startswith('323-337'))
    assert line.split()[2:3] == ['8x32x224']
    assert line.endswith('0.01 to 0.00076')
