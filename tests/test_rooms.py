"""The rooms of the package and who may enter which."""

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
    charades={'core', *STACK},
    profiling={'core', 'config', 'models', 'patches', 'matplotlib', *STACK},
    cli={
        'core', 'loading', 'config', 'frame_store', 'profiling', 'rich', *STACK
    })
ROOMS = tuple(ALLOWED)


def imports(path: Path):
    """Rooms and packages that a file imports, at any depth of the file."""
    room = path.relative_to(PACKAGE).parts[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 or node.level == 2:
                yield node.module.split('.')[0]
            else:
                assert node.level == 1
                yield room


@pytest.mark.skipif(
    sys.version_info < (3, 10),
    reason='Python 3.9 does not tell what its standard library is')
@pytest.mark.parametrize('room', ROOMS)
def test_imports(room):
    files = sorted((PACKAGE / room).rglob('*.py'))
    assert files
    for path in files:
        found = set(imports(path)) - sys.stdlib_module_names - {room}
        assert found <= ALLOWED[room], (
            f'{path.name} imports {found - ALLOWED[room]}')


def test_every_room_is_known():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert folders - {'__pycache__', '.mim'} == set(ROOMS)
    assert {path.name
            for path in PACKAGE.glob('*.py')
            } == {'__init__.py', '__main__.py', 'compat.py', 'patches.py'}


def test_files_stay_small():
    long = {
        path.name: n
        for path in PACKAGE.rglob('*.py')
        if (n := len(path.read_text().splitlines())) > 300
    }
    assert not long


def test_functions_stay_small():
    long = {
        f'{path.name}: {node.name}': size
        for path in PACKAGE.rglob('*.py')
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (size := node.end_lineno -
                                                  node.lineno + 1) > 50
    }
    assert not long


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
