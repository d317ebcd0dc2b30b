"""The pull request to MMAction2 is a copy of few files."""

import os
import subprocess
import sys

import pytest

from ..small import load_tool

tool = load_tool('maintain/export')


def test_the_copy_stands_by_itself(tmp_path):
    (tmp_path / 'projects').mkdir()
    project = tool.export(tmp_path)
    files = [path for path in project.rglob('*') if path.is_file()]
    assert len(files) == len(tool.project_files()) <= 25
    for name, path in tool.project_files().items():
        assert (project / name).read_bytes() == path.read_bytes()
    # In the folder of the project, as its README says.
    tests = [f'tests/{name}' for name in tool.TESTS if 'test_' in name]
    tests.remove('tests/test_alone.py')  # is so already
    done = subprocess.run([
        sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-c',
        os.devnull, '--rootdir', '.', *tests
    ],
                          cwd=project,
                          capture_output=True,
                          text=True,
                          env=dict(
                              os.environ,
                              PYTHONPATH=str(project),
                              OMP_NUM_THREADS='1'))
    assert done.returncode == 0, done.stdout[-2000:]
    assert ' passed' in done.stdout


def test_a_folder_that_is_no_clone(tmp_path):
    with pytest.raises(FileNotFoundError, match='has no folder projects'):
        tool.export(tmp_path)
