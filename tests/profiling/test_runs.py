"""What a run did, read from a log of mmengine's."""

import re

import pytest
from mmaction_multigrid.profiling import read_run


def line(time, text):
    return f'2026/01/01 {time} - mmengine - INFO - {text}'


def train(time, epoch, i, length, seconds, waiting):
    return line(
        time, f'Epoch(train)  [{epoch}][{i:>3}/{length}]  lr: 1.0e-02  eta: '
        f'0:01:00  time: {seconds:.4f}  data_time: {waiting:.4f}  loss: 0.7')


def val(time, epoch, seconds, top1, top5=1.):
    return line(
        time, f'Epoch(val) [{epoch}][10/10]    acc/top1: {top1:.4f}  '
        f'acc/top5: {top5:.4f}  data_time: 0.0010  time: {seconds:.4f}')


SAVED = 'Checkpoints will be saved to work_dirs/a.'
STAGE = 'Multigrid stage 2/2, epochs 3 to 3: batches ...'
FIRST = [
    'System environment:',
    line('09:59:00', 'Config: ...'),
    line('10:00:00', SAVED),
    line('10:00:00', STAGE),
    train('10:00:04', 1, 20, 50, 0.2, 0.05),
    train('10:00:08', 1, 40, 50, 0.2, 0.05),  # 10 more are not logged
    line('10:00:13', 'Epoch(val) [1][ 5/10]    eta: 0:00:00  time: 0.1000'),
    val('10:00:15', 1, 0.2, top1=0.5),
    train('10:00:20', 2, 20, 25, 0.25, 0.15),
    val('10:00:24', 2, 0.1, top1=0.75),
    line('10:00:24', STAGE),
    'a traceback'
]
RESUMED = [
    line('11:00:00', 'resumed epoch: 2, iter: 75'),
    line('11:00:05', SAVED),
    line('11:00:05', STAGE),
    train('11:00:15', 3, 100, 100, 0.1, 0.),
    val('11:00:20', 3, 0.1, top1=0.875),
]
REFUSED = ['System environment:', line('12:00:00', 'Config: ...')]
EPOCH_AGAIN = [
    line('11:00:00', 'resumed epoch: 1, iter: 50'),
    train('11:00:10', 2, 25, 25, 0.1, 0.),
    val('11:00:12', 2, 0.1, top1=0.625),
]
POINTS = [(15., 1, 50, 50.), (24., 2, 75, 75.), (44., 3, 175, 87.5)]


def by_iterations(log):
    """What ``log_processor.by_epoch = False`` makes of a log."""

    def change(match):
        before = dict(zip('123', (0, 50, 75)))[match[1]]
        return f'Iter(train) [{before + int(match[2]):>3}/175]{match[3]}'

    text = re.sub(r'Epoch\(train\)  \[(\d+)\]\[ *(\d+)/\d+\](.*)', change,
                  '\n'.join(log))
    return re.sub(r'Epoch\(val\) +\[\d+\]', 'Iter(val) ', text).splitlines()


def write(folder, *logs):
    for i, log in enumerate(logs):
        path = folder / f'20260101_{i}' / f'20260101_{i}.log'
        path.parent.mkdir(parents=True)
        path.write_text('\n'.join(log) + '\n')
    return folder


@pytest.mark.parametrize(
    ('logs', 'points', 'stages'),
    [
        ((FIRST, ), POINTS[:2], [0., 24.]),
        ((FIRST, RESUMED), POINTS, [0., 24., 29.]),
        ((FIRST, RESUMED, REFUSED), POINTS, [0., 24., 29.]),
        ((FIRST, RESUMED, FIRST), POINTS[:2], [0., 24.]),  # another run
        ((FIRST, EPOCH_AGAIN), [POINTS[0], (36., 2, 75, 62.5)], [0., 24.]),
        (map(by_iterations,
             (FIRST, RESUMED)), [(15., 0, 40, 50.), (24., 0, 70, 75.),
                                 (44., 0, 175, 87.5)], [0., 24., 29.]),
    ])
def test_validations_and_stages(tmp_path, logs, points, stages):
    run = read_run(write(tmp_path / 'a', *logs))
    assert (run.name, run.metric, run.stages) == ('a', 'acc/top1', stages)
    assert [tuple(vars(point).values()) for point in run.points] == points
    assert run.seconds == points[-1][0]


def test_times(tmp_path):
    run = read_run(write(tmp_path, FIRST))
    # 50 iterations of 0.2 s, 0.05 s of each waiting, and 25 of 0.25 s and
    # 0.15 s.
    assert run.waiting == pytest.approx(50 * 0.05 + 25 * 0.15)
    assert run.training == pytest.approx(50 * 0.15 + 25 * 0.1)
    assert run.evaluating == pytest.approx(10 * 0.2 + 10 * 0.1)
    assert ([run.time_to(score)
             for score in (60., 75., 80.)] == [24., 24., None])


def test_another_metric_and_none(tmp_path):
    write(tmp_path / 'a', FIRST)
    assert read_run(tmp_path / 'a', 'acc/top5').end.score == 100.
    with pytest.raises(ValueError, match="no validation with 'mAP'"):
        read_run(tmp_path / 'a', 'mAP')
    with pytest.raises(ValueError, match='no validation is in its log'):
        read_run(write(tmp_path / 'b', FIRST[:5]))
    with pytest.raises(FileNotFoundError, match='has no TIME/TIME.log'):
        read_run(tmp_path / 'c')
