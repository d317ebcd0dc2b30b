"""The export for MMAction2 and mmengine, before their formatters, which only lay it out."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from mmaction_multigrid import apply_multigrid

from ..conftest import ROOT
from ..small import load_tool

tool = load_tool('maintain/export_upstream')
PROJECT = Path('projects', 'multigrid')


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """The folder of the exported project."""
    out = tmp_path_factory.mktemp('out')
    tool.write(out, tool.project_files())
    return out / PROJECT


def call(project, *command):
    """Run Python in the project, as its README says: with the folder on the path."""
    result = subprocess.run([sys.executable, '-W', 'ignore', *command], cwd=project, capture_output=True, text=True,
                            env=dict(PYTHONPATH=str(project), OMP_NUM_THREADS='1', HOME=str(project)))
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


def test_it_stands_on_its_own(project):
    for path in project.rglob('*.py'):
        text = path.read_text()
        assert 'mmaction_multigrid' not in text, path
        assert 'hypothesis' not in text, path
        tree = ast.parse(text)
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.NamedExpr)], path  # Python 3.7
    for folder in ('configs', 'multigrid'):
        for path in (project / folder).rglob('*.py'):
            assert 'runner_type' not in path.read_text(), path
    assert call(project, '-c', 'import sys, multigrid; print("mmaction_multigrid" in sys.modules)') == 'False\n'


def test_its_configs_are_ours_resolved(project):
    """All that multigrid changes, key for key; the names of the modules aside."""
    for _, ours in tool.PAIRS:
        theirs = Config.fromfile(project / 'configs' / Path(ours).name, import_custom_modules=False)
        resolved = apply_multigrid(Config.fromfile(ROOT / 'configs' / 'recognition' / ours))
        for key in tool.PARTS[1:]:
            assert without_scope(theirs[key]) == without_scope(resolved[key]), (ours, key)
        assert theirs.custom_imports.imports == ['multigrid']


def without_scope(value):
    """Without what says whose registries a dict is for."""
    if isinstance(value, dict):
        return {key: without_scope(entry) for key, entry in value.items() if key != '_scope_'}
    return [without_scope(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def test_its_tests_run(project):
    tests = ('tests/schedule', 'tests/config/test_apply.py')
    assert ' passed' in call(project, '-m', 'pytest', '-p', 'no:cacheprovider', *tests)


def test_its_metafile_names_its_files(project):
    content = yaml.safe_load((project / 'metafile.yml').read_text())
    assert len(content['Models']) == 6
    for path in [content['Collections'][0]['README'], *(model['Config'] for model in content['Models'])]:
        assert (project.parents[1] / path).is_file()
    for model in content['Models']:
        assert f'./configs/{model["Name"]}.py' in (project / 'README.md').read_text()


def test_what_is_there_is_not_overwritten(project):
    with pytest.raises(FileExistsError, match='README.md: is there; remove what was exported before'):
        tool.write(project, {'new.py': '', 'README.md': ''})
    assert not (project / 'new.py').exists()


def test_a_change_that_fits_no_longer():
    with pytest.raises(ValueError, match=r'mmaction.diff: multigrid/__init__.py has not once .*; it has changed'):
        tool.edit({'multigrid/__init__.py': 'import nothing\n'}, 'mmaction')


def test_parts_for_mmengine():
    files = tool.mmengine_files()
    assert sorted(files) == sorted(tool.MMENGINE.values())
    for path, text in files.items():
        ast.parse(text)
        assert 'mmaction' not in text, path
