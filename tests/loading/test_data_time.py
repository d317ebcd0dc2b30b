"""What limits training, from seconds, and the command that helps."""

from types import SimpleNamespace

import pytest
from mmaction_multigrid.loading.data_time import DataTimeMeter, store_command
from mmengine.config import Config


@pytest.mark.parametrize(('total', 'waited', 'workers', 'expected'),
                         [(100, 50, 1, 2), (100, 50, 3, 6), (100, 1, 4, 5),
                          (100, 0, 4, 4), (100, 50, 0, 1), (0, 0, 2, 2)])
def test_workers_that_are_enough(total, waited, workers, expected):
    """All of them load all the time where batches are waited for.

    Without workers it is the waiting itself.
    """
    assert DataTimeMeter(total, waited).enough_workers(workers) == expected
    assert DataTimeMeter(5., 5.).enough_workers(1) > 1000


def test_text_says_what_is_worth_saying():
    text = DataTimeMeter(80., 0.8).text(2, 'BUILD')
    assert text == 'waiting for data 1 % of 80 s'
    text = DataTimeMeter(100., 8.).text(2, 'BUILD')
    assert text == ('waiting for data 8 % of 100 s; 3 data workers would have '
                    'been enough, with a core each '
                    '(train_dataloader.num_workers = 2)')
    much = DataTimeMeter(100., 40.)
    assert much.text(2).endswith('(train_dataloader.num_workers = 2)')
    assert much.text(2, 'BUILD').endswith('; small copies of the videos '
                                          'take less loading: BUILD, and '
                                          'multigrid.grid_store = STORE')
    assert DataTimeMeter().text(2) == 'waiting for data 0 % of 0 s'


def test_time_in_and_between_batches(monkeypatch):
    now = [0.]
    monkeypatch.setattr('mmaction_multigrid.loading.data_time.perf_counter',
                        lambda: now[0])

    def batches():
        for seconds in (1., 2.):
            now[0] += seconds
            yield seconds
        now[0] += 4.  # until the end is known

    waiting, seen = DataTimeMeter(), []
    for batch in waiting.measure(batches()):
        now[0] += 10.
        seen.append(batch)
    assert seen == [1., 2.]
    assert (waiting.total, waiting.waited) == (27., 7.)


def listed(folder='videos'):
    return SimpleNamespace(
        ann_file='train list.txt', data_prefix=dict(video=folder))


def config(file=None, **dataset):
    return Config(dict(train_dataloader=dict(dataset=dataset)), filename=file)


@pytest.mark.parametrize('dataset', [
    listed(),
    SimpleNamespace(dataset=SimpleNamespace(datasets=[listed(), None]))
])
def test_the_command_names_list_folder_and_config(dataset):
    assert store_command(config(__file__), dataset) == (
        "python -m mmaction_multigrid store build 'train list.txt' STORE "
        f'--root videos --config {__file__}')


def test_the_command_where_less_is_known():
    assert store_command(config(),
                         listed('')).endswith('STORE --root . --config CONFIG')


def test_no_command_beside_a_store_and_for_clips_without_files():
    cfg = config(pipeline=[dict(type='UseGridStore', store='s')])
    assert store_command(cfg, listed()) is None
    assert store_command(config(), SimpleNamespace()) is None
