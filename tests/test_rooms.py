"""The rooms of the package and who may enter which."""

import ast
from pathlib import Path

import pytest

import mmaction_multigrid

PACKAGE = Path(mmaction_multigrid.__file__).parent
ROOMS = ('schedule', 'config', 'datasets', 'models', 'engine', 'charades')
# Each room, and what it may import: other rooms, and of the stack's packages those that matter.
ALLOWED = dict(
    schedule=set(),
    models={'torch', 'mmengine'},
    datasets={'schedule', 'torch', 'numpy', 'mmengine', 'mmcv', 'mmaction'},
    config={'schedule', 'torch', 'mmengine', 'mmaction'},
    engine={'schedule', 'config', 'models', 'torch', 'numpy', 'mmengine', 'mmaction'},
    charades={'datasets', 'torch', 'numpy', 'mmengine', 'mmcv', 'mmaction', 'sklearn'})
STANDARD = {'abc', 'array', 'bisect', 'collections', 'contextlib', 'contextvars', 'copy', 'csv', 'ctypes', 'dataclasses',
            'errno', 'functools', 'gc', 'itertools', 'json', 'logging', 'math', 'multiprocessing', 'numbers', 'os', 'pathlib',
            'random', 're', 'signal', 'threading', 'time', 'typing', 'zipfile'}


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


@pytest.mark.parametrize('room', ROOMS)
def test_imports(room):
    files = sorted((PACKAGE / room).rglob('*.py'))
    assert files
    for path in files:
        found = set(imports(path)) - STANDARD - {room}
        assert found <= ALLOWED[room], f'{path.name} imports {found - ALLOWED[room]}'


def test_every_room_is_known():
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != '__pycache__'} == set(ROOMS)
    assert {path.name for path in PACKAGE.glob('*.py')} == {
        '__init__.py', 'checkpoint_loading.py', 'checkpoint_pickle.py', 'compat.py'}


def test_files_stay_small():
    long = {path.name: n for path in PACKAGE.rglob('*.py') if (n := len(path.read_text().splitlines())) > 260}
    assert not long


def test_registered_names():
    from mmaction import registry
    names = dict(RUNNERS=['MultigridRunner'], LOOPS=['MultigridTrainLoop'], HOOKS=['MultigridHook', 'PreciseBNHook'],
                 DATA_SAMPLERS=['MultigridBatchSampler'], DATASETS=['MultigridDataset'],
                 PARAM_SCHEDULERS=['MultigridLR'], TRANSFORMS=['MultigridTransform'])
    for kind, members in names.items():
        for name in members:
            assert getattr(registry, kind).get(name).__module__.startswith('mmaction_multigrid.')
