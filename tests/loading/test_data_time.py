"""What limits training, from seconds."""


import pytest

from mmaction_multigrid.loading.data_time import DataTimeMeter


@pytest.mark.parametrize(('total', 'waited', 'workers', 'expected'), [
    (100, 50, 1, 2), (100, 50, 3, 6), (100, 75, 2, 8), (100, 1, 4, 5), (100, 0, 4, 4),
    (100, 50, 0, 1), (100, 80, 0, 4), (0, 0, 2, 2)])
def test_workers_that_are_enough(total, waited, workers, expected):
    """All of them load all the time, where batches are waited for; without workers it is the waiting itself."""
    assert DataTimeMeter(total, waited).enough_workers(workers) == expected


def test_text_says_what_is_worth_saying():
    assert DataTimeMeter(80., 0.8).text(2, 'BUILD') == 'waiting for data 1 % of 80 s'
    text = DataTimeMeter(100., 8.).text(2, 'BUILD')
    assert text == ('waiting for data 8 % of 100 s; 3 data workers would have been enough, with a core each '
                    '(train_dataloader.num_workers = 2)')
    assert DataTimeMeter(100., 40.).text(0, 'BUILD').startswith('waiting for data 40 % of 100 s; 1 data worker would')
    assert DataTimeMeter(100., 40.).text(2).endswith('(train_dataloader.num_workers = 2)')
    assert DataTimeMeter(100., 40.).text(2, 'BUILD').endswith(
        '; small copies of the videos take less loading: BUILD, and multigrid.grid_store = STORE')
    assert DataTimeMeter().text(2) == 'waiting for data 0 % of 0 s'


def test_time_in_and_between_batches(monkeypatch):
    now = [0.]
    monkeypatch.setattr('mmaction_multigrid.loading.data_time.perf_counter', lambda: now[0])

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
    assert waiting.share == 7 / 27


def test_nothing_but_waiting():
    assert DataTimeMeter(5., 5.).enough_workers(1) > 1000
