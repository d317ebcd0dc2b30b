"""check_leaks.py on a few stage changes; thousands are for the command itself."""

import os

from ..small import load_tool

leaks = load_tool('maintain/check_leaks')


def test_a_few_stage_changes():
    for workers in (0, 1):
        before, after = leaks.run(30, workers, 'fork')
        assert all(after[key] <= before[key] for key in ('files', 'threads', 'semaphores'))
        assert before['memory'] > 10 and before['files'] > 3 and before['threads'] >= 1 + workers


def test_a_few_crashes():
    before, after = leaks.run_crashes(10, 1, 'fork')
    assert all(after[key] <= before[key] for key in ('threads', 'semaphores'))
    assert after['files'] <= before['files'] + 3  # of nine crashes; torch leaves one now and then


def test_more_files_are_seen(tmp_path):
    before = leaks.usage([os.getpid()])
    with open(tmp_path / 'open', 'w'):
        assert leaks.usage([os.getpid()])['files'] == before['files'] + 1
