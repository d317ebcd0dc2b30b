"""How many clips may fail, what the log says of those that do, and whose reports count."""

import re
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from mmengine.runner import Runner

from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.loading.bad_videos_hook import BadVideosHook

from ..engine.test_training import interrupted, train
from ..toy import RecordHook, base_config, close_workers, new_name
from ..videos import encode
from .test_bad_videos import video_dataset
from .test_faults import with_broken_files


def log_of(work_dir):
    return ''.join(path.read_text() for path in sorted(work_dir.rglob('*.log')))


@pytest.mark.parametrize('workers', [0, 2])
def test_too_many_broken_files_end_the_run(tmp_path, workers):
    """A fifth fails: more than ten of the first two hundred, long before the end of the first epoch's batches."""
    with pytest.raises(RuntimeError, match=r'^1\d of [4-9]\d clips .* \(\d\d\.\d %\), .*max_share = 0.05:') as raised:
        train(with_broken_files(tmp_path, every=5, num_clips=512, workers=workers))
    assert len(RecordHook.records) < 6
    text = str(raised.value)
    assert re.search(r'clip \d+ \(OSError: no decoder opens clip \d+\)', text) and text.count('no decoder') == 3
    assert 'mmaction_multigrid videos' in text
    assert "custom_hooks = [dict(type='BadVideosHook', max_share=...)]" in text


def test_a_list_of_wrong_paths_ends_the_run(tmp_path):
    """Nine in ten: the run used to go on, on the tenth."""
    for i in range(0, 80, 10):
        encode(tmp_path / f'{i}.mp4', 12, 64, 48)
    cfg = base_config(tmp_path / 'run', max_epochs=4, milestones=(2, 3))
    cfg.train_dataloader.dataset = video_dataset(tmp_path, [f'{i}.mp4' for i in range(80)])
    with pytest.raises(RuntimeError, match=r'clips .* could not be loaded.*\.mp4 \('):
        train(cfg)


@pytest.mark.parametrize(('tried', 'failed', 'ends'), [
    (11, 11, True), (10, 10, False), (200, 10, False), (200, 11, True), (220, 11, False), (219, 11, True)])
def test_the_share_to_the_clip(tmp_path, tried, failed, ends):
    """Where all of them ended their worker there is no report yet."""
    dataset = SimpleNamespace(tries=(tried, failed))
    runner = SimpleNamespace(work_dir=tmp_path, train_loop=SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset)))
    with pytest.raises(RuntimeError, match=f'^{failed} of {tried} clips') if ends else nullcontext():
        BadVideosHook().after_train_iter(runner, 0)


@pytest.mark.parametrize('settings', [
    dict(max_share=-0.1), dict(max_share=1.5), dict(max_share='5%'), dict(max_share=True), dict(max_share=None),
    dict(max_share=float('nan')), dict(min_clips=0), dict(min_clips=2.5)], ids=str)
def test_impossible_settings(settings):
    (key, value), = settings.items()
    with pytest.raises(ValueError, match=f'{key} = {value!r}: must be'):
        BadVideosHook(**settings)


def with_many(work_dir, **settings):
    """32 of 64 clips fail."""
    return with_broken_files(work_dir, every=2, max_share=1, **settings)


def test_the_log_names_ten_and_then_counts(tmp_path):
    runner, _ = train(with_many(tmp_path))
    log = log_of(tmp_path)
    assert len(re.findall('cannot load clip', log)) == 10
    counts = re.findall(r'could not be loaded (\d+) times in this epoch, (\d+) files in all', log)
    assert runner.max_epochs - 1 <= len(counts) <= runner.max_epochs  # one an epoch
    assert counts[-1][1] == '32' and all(int(count) > 5 for count, _ in counts)
    assert len((tmp_path / 'bad_videos.txt').read_text().splitlines()) == 32
    assert '32 files could not be loaded' in log


def test_reports_of_an_earlier_run_are_not_taken_for_this_ones(tmp_path):
    for name in ('bad_videos.rank0.txt', 'bad_videos.rank3.txt'):
        (tmp_path / name).write_text('old.mp4\tOSError: gone\tanother clip took its place\n')
    (tmp_path / 'bad_videos.txt').write_text('1\told.mp4\tOSError: gone\n')
    (tmp_path / 'crashed_videos.rank3.txt').write_text('1\told.mp4\n')
    train(base_config(tmp_path))
    assert not list(tmp_path.glob('*_videos*'))
    assert 'old.mp4' not in log_of(tmp_path)


def test_a_resumed_run_goes_on_with_its_reports(tmp_path):
    """A file is named once, before the break or after it, and the counts are of both parts."""
    interrupted(with_many(tmp_path / 'run'), 4)
    log = log_of(tmp_path / 'run')
    named = re.findall(r'cannot load (clip \d+) ', log)
    assert len(named) == len(set(named)) == 10
    train(with_many(tmp_path / 'straight'))
    assert (tmp_path / 'run' / 'bad_videos.txt').read_text() == (tmp_path / 'straight' / 'bad_videos.txt').read_text()


@pytest.mark.parametrize('workers', [0, 2])
def test_tries_are_counted_in_every_worker(tmp_path, workers):
    cfg = with_many(tmp_path, workers=workers)
    cfg.multigrid.precise_bn = 0
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.train()
    close_workers(runner)
    tried, failed = runner.train_dataloader.dataset.tries
    reported = sum(int(line.split('\t')[0]) for line in (tmp_path / 'bad_videos.txt').read_text().splitlines())
    assert failed == reported
    assert tried - failed == sum(record['batch'] for record in RecordHook.records)
