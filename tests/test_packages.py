"""Check what the packages import, and the sizes of files and functions."""

import ast
import sys
from pathlib import Path

import mmaction_multigrid
import pytest

from mmaction import registry

PACKAGE = Path(mmaction_multigrid.__file__).parent
STACK = {'torch', 'numpy', 'mmengine', 'mmcv', 'mmaction'}
# Each package, in order of the layers, and what it may import beside the
# standard library.
ALLOWED = dict(
    core=STACK,
    loading={'core', 'av', *STACK},
    checkpoints={'core', 'patches', *STACK},
    models={'core', *STACK},
    config={'core', 'loading', *STACK},
    frame_store={
        'core', 'loading', 'checkpoints', 'config', 'av', 'cv2', 'decord',
        'rich', *STACK
    },
    profiling={'core', 'config', 'models', 'patches', 'matplotlib', *STACK},
    cli={
        'core', 'loading', 'config', 'frame_store', 'profiling', 'rich', *STACK
    })


def imports(path):
    """Return the names that a file imports: packages, ours and others."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level != 1:
            assert node.level in (0, 2)
            found.add(node.module.split('.')[0])
    return found


@pytest.mark.skipif(
    sys.version_info < (3, 10),
    reason='Python 3.9 has no list of its standard library')
@pytest.mark.parametrize('package', ALLOWED)
def test_imports(package):
    for path in (PACKAGE / package).rglob('*.py'):
        found = imports(path) - sys.stdlib_module_names - {package}
        assert found <= ALLOWED[package], path.name


def test_every_package_is_known():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert folders - {'__pycache__', '.mim'} == set(ALLOWED)
    assert {path.name
            for path in PACKAGE.glob('*.py')} == {
                '__init__.py', '__main__.py', 'charades.py', 'compat.py',
                'patches.py'
            }


@pytest.mark.parametrize(
    'path', sorted(PACKAGE.rglob('*.py')), ids=lambda path: path.name)
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert not [
        node.name for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.end_lineno -
        node.lineno >= 50
    ]


@pytest.mark.parametrize(('kind', 'name'), [
    ('RUNNERS', 'MultigridRunner'),
    ('LOOPS', 'MultigridTrainLoop'),
    ('HOOKS', 'MultigridHook'),
    ('HOOKS', 'PreciseBNHook'),
    ('DATA_SAMPLERS', 'MultigridBatchSampler'),
    ('DATASETS', 'MultigridDataset'),
    ('PARAM_SCHEDULERS', 'MultigridLR'),
    ('TRANSFORMS', 'MultigridTransform'),
])
def test_registered_names(kind, name):
    registered = getattr(registry, kind).get(name)
    assert registered.__module__.startswith('mmaction_multigrid.')
