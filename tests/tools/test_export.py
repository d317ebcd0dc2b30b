"""Copy the files of the pull request to MMAction2."""

import os
import sys

import pytest

from ..small import load_tool
from ..wheel import call

tool = load_tool('maintain/export')


def test_the_copy_passes_its_tests(tmp_path):
    (tmp_path / 'projects').mkdir()
    project = tool.export(tmp_path)
    files = [path for path in project.rglob('*') if path.is_file()]
    assert len(files) == len(tool.project_files()) <= 25
    for name, path in tool.project_files().items():
        assert (project / name).read_bytes() == path.read_bytes()
    # Its README says to run them in this folder.
    tests = [f'tests/{name}' for name in tool.TESTS if 'test_' in name]
    tests.remove('tests/test_alone.py')  # imports the copy anyway
    assert ' passed' in call(
        sys.executable,
        '-m',
        'pytest',
        '-q',
        '-p',
        'no:cacheprovider',
        '-c',
        os.devnull,
        '--rootdir',
        '.',
        *tests,
        cwd=project,
        PYTHONPATH=str(project))


def test_a_folder_without_a_clone_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='has no folder projects'):
        tool.export(tmp_path)
