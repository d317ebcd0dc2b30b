"""What a run did, read from a log of mmengine's."""

import re

import pytest

from mmaction_multigrid.profiling import compare, read_run
from mmaction_multigrid.profiling.drawing import draw_runs

BEGIN = '2026/01/01 10:00:00 - mmengine - INFO - Checkpoints will be saved to work_dirs/a.'


def line(time, text):
    return f'2026/01/01 {time} - mmengine - INFO - {text}'


def train(time, epoch, i, length, seconds, waiting):
    return line(time, f'Epoch(train)  [{epoch}][{i:>3}/{length}]  lr: 1.0e-02  eta: 0:01:00  time: {seconds:.4f}  '
                f'data_time: {waiting:.4f}  loss: 0.7')


def val(time, epoch, length, seconds, **metrics):
    text = '  '.join(f'acc/{name}: {value:.4f}' for name, value in metrics.items())
    return line(time, f'Epoch(val) [{epoch}][{length}/{length}]    {text}  data_time: 0.0010  time: {seconds:.4f}')


FIRST = [
    'System environment:', line('09:59:00', 'Config: ...'), BEGIN,
    line('10:00:00', 'Multigrid stage 1/2, epochs 1 to 2: batches ...'),
    train('10:00:04', 1, 20, 50, 0.2, 0.05), train('10:00:08', 1, 40, 50, 0.2, 0.05),  # 10 more are not logged
    line('10:00:10', 'Saving checkpoint at 1 epochs'),
    line('10:00:13', 'Epoch(val) [1][ 5/10]    eta: 0:00:00  time: 0.1000  data_time: 0.0010'),
    val('10:00:15', 1, 10, 0.2, top1=0.5, top5=0.9),
    train('10:00:20', 2, 20, 25, 0.25, 0.15),
    line('10:00:21', 'Saving checkpoint at 2 epochs'), val('10:00:24', 2, 10, 0.1, top1=0.75, top5=1.),
    line('10:00:24', 'Multigrid stage 2/2, epochs 3 to 3: batches ...'), 'a traceback',
]
RESUMED = [
    line('11:00:00', 'resumed epoch: 2, iter: 75'), line('11:00:05', 'Checkpoints will be saved to work_dirs/a.'),
    line('11:00:05', 'Multigrid stage 2/2, epochs 3 to 3: batches ...'),
    train('11:00:15', 3, 100, 100, 0.1, 0.), val('11:00:20', 3, 10, 0.1, top1=0.875, top5=1.),
]


def write(folder, *logs):
    for i, log in enumerate(logs):
        path = folder / f'20260101_{i}' / f'20260101_{i}.log'
        path.parent.mkdir(parents=True)
        path.write_text('\n'.join(log) + '\n')
    return folder


def test_a_run_by_hand(tmp_path):
    run = read_run(write(tmp_path / 'a', FIRST))
    assert (run.name, run.metric) == ('a', 'acc/top1')
    assert [(point.seconds, point.epoch, point.iterations, point.score) for point in run.points] == [
        (15., 1, 50, 50.), (24., 2, 75, 75.)]
    assert run.stages == [0., 24.]
    # 50 iterations of 0.2 s, 0.05 s of each waiting, and 25 of 0.25 s and 0.15 s.
    assert run.waiting == pytest.approx(50 * 0.05 + 25 * 0.15)
    assert run.training == pytest.approx(50 * 0.15 + 25 * 0.1)
    assert run.evaluating == pytest.approx(10 * 0.2 + 10 * 0.1)
    assert (run.time_to(60.), run.time_to(75.), run.time_to(80.)) == (24., 24., None)


def test_a_resumed_run_counts_together(tmp_path):
    run = read_run(write(tmp_path, FIRST, RESUMED))
    assert [(point.seconds, point.epoch, point.iterations) for point in run.points] == [
        (15., 1, 50), (24., 2, 75), (44., 3, 175)]
    assert run.stages == [0., 24., 29.]
    assert run.seconds == 44.


def by_iterations(begin, *lines):
    """What ``log_processor.by_epoch = False`` makes of lines."""
    def change(match):
        epoch, done, length, rest = match.groups()
        before = dict(zip('123', (0, 50, 75)))[epoch]
        return f'Iter(train) [{before + int(done):>3}/175]{rest}'

    return [begin, *(re.sub(r'Epoch\(val\)\s+\[\d+\]', 'Iter(val) ', re.sub(
        r'Epoch\(train\)  \[(\d+)\]\[ *(\d+)/(\d+)\](.*)', change, line))
        for line in lines)]


def test_a_run_whose_log_counts_iterations(tmp_path):
    """Iterations as far as they are logged, epochs of the checkpoints."""
    run = read_run(write(tmp_path, by_iterations(*FIRST),
                         by_iterations(*RESUMED)))
    assert run.metric == 'acc/top1'
    assert [(point.seconds, point.epoch, point.iterations, point.score)
            for point in run.points] == [
        (15., 1, 40, 50.), (24., 2, 70, 75.), (44., 2, 175, 87.5)]
    assert run.stages == [0., 24., 29.]
    # 40 iterations of 0.2 s, 30 of 0.25 s and 100 of 0.1 s.
    assert run.training + run.waiting == pytest.approx(8 + 7.5 + 10)
    assert run.evaluating == pytest.approx(4)


def test_a_run_that_began_anew_is_not_the_one_before(tmp_path):
    again = [text.replace('0.5000', '0.2500') for text in FIRST]
    run = read_run(write(tmp_path, FIRST, RESUMED, again))
    assert [point.score for point in run.points] == [25., 75.]
    assert run.seconds == 24.


def test_a_start_that_was_refused_is_no_run(tmp_path):
    """A resume with another schedule ends before training begins."""
    refused = ['System environment:', line('12:00:00', 'Config: ...')]
    assert read_run(write(tmp_path, FIRST, RESUMED, refused)).seconds == 44.


def test_an_epoch_that_is_made_again_counts_once(tmp_path):
    again = [line('11:00:00', 'resumed epoch: 1, iter: 50'), train('11:00:10', 2, 25, 25, 0.1, 0.),
             val('11:00:12', 2, 10, 0.1, top1=0.625)]
    run = read_run(write(tmp_path, FIRST, again))
    assert [(point.epoch, point.iterations, point.score, point.seconds) for point in run.points] == [
        (1, 50, 50., 15.), (2, 75, 62.5, 36.)]


def test_another_metric_and_none(tmp_path):
    write(tmp_path / 'a', FIRST)
    assert read_run(tmp_path / 'a', 'acc/top5').end.score == 100.
    with pytest.raises(ValueError, match="no validation with 'mAP'"):
        read_run(tmp_path / 'a', 'mAP')
    with pytest.raises(ValueError, match='no validation is in its log'):
        read_run(write(tmp_path / 'b', FIRST[:5]))
    with pytest.raises(FileNotFoundError, match='has no TIME/TIME.log'):
        read_run(tmp_path / 'c')


def test_who_was_there_first(tmp_path):
    base = read_run(write(tmp_path / 'a', FIRST, RESUMED))
    ours = read_run(write(tmp_path / 'b', FIRST))
    assert compare([base, ours], margins=(15., 0.)) == [(72.5, [24., 24.]), (87.5, [44., None])]


def test_the_picture(tmp_path):
    run = read_run(write(tmp_path / 'a', FIRST, RESUMED))
    draw_runs([run, run], tmp_path / 'report.png', 'two runs')
    assert (tmp_path / 'report.png').read_bytes().startswith(b'\x89PNG')
