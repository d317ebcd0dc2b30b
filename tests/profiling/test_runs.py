"""Read runs from the scalars that mmengine logs."""

import json

import pytest
from mmaction_multigrid.profiling.runs import read_run


def train(epoch, iteration, seconds, waiting, frames=None):
    shape = {'multigrid/num_frames': frames} if frames else {}
    return dict(
        lr=0.1,
        data_time=waiting,
        loss=0.7,
        time=seconds,
        epoch=epoch,
        iter=iteration,
        step=iteration,
        **shape)


def val(epoch, top1, top5=1.):
    return {
        'acc/top1': top1,
        'acc/top5': top5,
        'data_time': 0.1,
        'time': 0.2,
        'step': epoch
    }


FIRST = [
    train(1, 20, 0.2, 0.05, 4),
    train(1, 40, 0.2, 0.05, 4),  # 10 more are not logged
    val(1, 0.5),
    train(2, 70, 0.3, 0.15, 8),
    val(2, 0.75)
]
RESUMED = [train(3, 170, 0.1, 0., 8), val(3, 0.875)]
EPOCH_AGAIN = [train(2, 70, 0.2, 0., 4), val(2, 0.625)]
POINTS = [(8., 1, 40, 50.), (17., 2, 70, 75.), (27., 3, 170, 87.5)]


def by_iterations(log):
    """Convert a log to ``log_processor.by_epoch = False``."""
    return [{key: line[key] for key in line if key != 'epoch'} for line in log]


def write(folder, *logs):
    for i, log in enumerate(logs):
        path = folder / f'20260101_{i}' / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text(''.join(f'{json.dumps(line)}\n' for line in log) +
                        '{"lr": 0.')  # as of a run that was killed
    return folder


@pytest.mark.parametrize(
    ('logs', 'points'),
    [
        ((FIRST, ), POINTS[:2]),
        ((FIRST, RESUMED, []), POINTS),
        ((FIRST, RESUMED, FIRST), POINTS[:2]),  # another run
        ((FIRST, EPOCH_AGAIN), [POINTS[0], (14., 2, 70, 62.5)]),
        (map(by_iterations,
             (FIRST, RESUMED)), [(seconds, 0, *rest)
                                 for seconds, _, *rest in POINTS]),
    ])
def test_validations(tmp_path, logs, points):
    run = read_run(write(tmp_path / 'a', *logs))
    assert (run.name, run.metric) == ('a', 'acc/top1')
    assert [tuple(vars(point).values())
            for point in run.points] == [pytest.approx(p) for p in points]
    assert run.seconds == pytest.approx(points[-1][0])


def test_times(tmp_path):
    run = read_run(write(tmp_path, FIRST))
    assert run.waiting == pytest.approx(40 * 0.05 + 30 * 0.15)
    assert [run.time_to(score) for score in (60., 75., 80.)
            ] == [pytest.approx(17.),
                  pytest.approx(17.), None]


def test_a_score_above_one_is_no_share(tmp_path):
    run = read_run(write(tmp_path, [train(1, 20, 0.2, 0.05), val(1, 7.)]))
    assert run.end.score == 7.


def test_another_metric_and_none(tmp_path):
    write(tmp_path / 'a', FIRST)
    assert read_run(tmp_path / 'a', 'acc/top5').end.score == 100.
    with pytest.raises(ValueError, match="no validation with 'mAP' is logged"):
        read_run(tmp_path / 'a', 'mAP')
    with pytest.raises(ValueError, match='no validation is logged'):
        read_run(write(tmp_path / 'b', FIRST[:2]))
    with pytest.raises(
            FileNotFoundError, match='has no TIME/vis_data/scalars.json'):
        read_run(tmp_path / 'c')
