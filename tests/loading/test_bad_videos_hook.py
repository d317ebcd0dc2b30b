"""Replace, list and count clips that fail, up to a limit."""

import logging
import re
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from mmaction_multigrid import register_transform_rule
from mmaction_multigrid.loading.bad_videos_hook import BadVideosHook
from mmcv.transforms import BaseTransform

from mmaction.registry import TRANSFORMS
from ..engine.test_training import (assert_equal_weights, interrupted, log_of,
                                    train)
from ..toy import RecordHook, base_config


@TRANSFORMS.register_module()
class BrokenFiles(BaseTransform):
    """Fail as a decoder does, on every n-th clip."""

    def __init__(self, every):
        self.every = every

    def transform(self, results):
        if results['clip'] % self.every == 0:
            raise OSError(f'no decoder opens clip {results["clip"]}')
        return results


register_transform_rule('BrokenFiles', does_io=True)


def with_broken_files(work_dir, every, max_share=0.05, **settings):
    cfg = base_config(work_dir, **settings)
    cfg.multigrid.precise_bn = 0
    cfg.train_dataloader.dataset.pipeline.insert(
        0, dict(type='BrokenFiles', every=every))
    cfg.custom_hooks.append(dict(type='BadVideosHook', max_share=max_share))
    return cfg


def test_too_many_broken_files_end_the_run(tmp_path):
    """A fifth of the clips is more than ten of the first two hundred."""
    with pytest.raises(
            RuntimeError,
            match=r'^1\d of [4-9]\d clips .* \(\d\d\.\d %\), .*'
            'max_share = 0.05:') as raised:
        train(with_broken_files(tmp_path, every=5, num_clips=512, workers=2))
    assert len(RecordHook.records) < 6
    text = str(raised.value)
    assert re.search(r'clip \d+ \(OSError: no decoder opens clip \d+\)', text)
    assert text.count('no decoder') == 3
    assert 'mmaction_multigrid videos' in text
    assert "custom_hooks = [dict(type='BadVideosHook', max_share=...)]" in text


@pytest.mark.parametrize(('tried', 'failed', 'ends'), [
    (11, 11, True),
    (10, 10, False),
    (200, 11, True),
    (220, 11, False),
    (219, 11, True),
])
def test_the_share_to_the_clip(tmp_path, tried, failed, ends):
    """There may be no report yet: crashed workers write none."""
    loader = SimpleNamespace(dataset=SimpleNamespace(tries=(tried, failed)))
    runner = SimpleNamespace(
        work_dir=tmp_path, train_loop=SimpleNamespace(dataloader=loader))
    message = f'^{failed} of {tried} clips'
    with pytest.raises(RuntimeError, match=message) if ends else nullcontext():
        BadVideosHook().after_train_iter(runner, 0)


def test_it_says_that_stock_training_replaces_nothing(tmp_path, caplog):
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=[]))
    BadVideosHook().before_train(
        SimpleNamespace(
            work_dir=tmp_path, train_loop=loop, logger=logging.getLogger()))
    assert 'BadVideosHook: does nothing without multigrid' in caplog.text


@pytest.mark.parametrize('value', [1.5, '5%', float('nan'), True])
def test_impossible_shares(value):
    with pytest.raises(
            ValueError, match=f'max_share = {value!r}: must be a number'):
        BadVideosHook(max_share=value)


def listed_files(work_dir):
    lines = (work_dir / 'bad_videos.txt').read_text().splitlines()
    return sorted(line.split('\t') for line in lines)


@pytest.fixture(scope='module')
def half(tmp_path_factory):
    """Train while 32 of 64 clips fail; return folder, runner and records."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp('half')
    return folder, *train(
        with_broken_files(folder, every=2, max_share=1, workers=2))


def test_broken_files_are_replaced_listed_and_counted(half):
    folder, runner, records = half
    assert len(records) == runner.max_iters
    lines = listed_files(folder)
    assert {name
            for name, _ in lines} == {f'clip {i}'
                                      for i in range(0, 64, 2)}
    assert all(
        error.startswith('OSError: no decoder opens clip')
        for _, error in lines)
    tried, failed = runner.train_dataloader.dataset.tries
    report = (folder / 'bad_videos.rank0.txt').read_text()
    assert failed == len(report.splitlines())
    assert tried - failed == sum(record['batch'] for record in records)
    counts = re.findall(r'(\d+) files could not be loaded so far: (\S+)',
                        log_of(folder))
    numbers = [int(number) for number, _ in counts]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 32
    assert {path for _, path in counts} == {str(folder / 'bad_videos.txt')}


def test_a_resumed_run_goes_on_with_its_reports(half, tmp_path):
    """Weights and list are the same."""
    folder, _, records = half
    cfg = with_broken_files(tmp_path, every=2, max_share=1)
    assert interrupted(cfg, 4) == records
    assert_equal_weights(folder, tmp_path)
    assert listed_files(tmp_path) == listed_files(folder)


def test_a_new_run_removes_earlier_reports(tmp_path):
    """A new run also opens the files that crashed before."""
    for rank in (0, 3):
        (tmp_path / f'bad_videos.rank{rank}.txt').write_text(
            'old.mp4\tOSError: gone\tanother clip took its place\n' +
            ''.join(f'clip {i}\tCrashedFile: \tleft out from epoch 0 on\n'
                    for i in range(64)))
    (tmp_path / 'bad_videos.txt').write_text('old.mp4\tOSError: gone\n')
    (tmp_path / 'my_videos.txt').touch()
    train(base_config(tmp_path, stages=[dict(epochs=1)]))
    assert [path.name
            for path in tmp_path.glob('*_videos*')] == ['my_videos.txt']
    assert 'old.mp4' not in log_of(tmp_path)
