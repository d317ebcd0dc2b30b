"""The stacks that the package is tested on.

    nox -l                              names them
    nox -s 'stack(oldest)'              runs the fast tests on one
    nox -s 'stack(newest)' -- tests     runs all

The Pythons themselves have to be there.
"""

from pathlib import Path

import nox

nox.options.default_venv_backend = 'venv'
nox.options.reuse_venv = 'yes'

PYTHONS = ('3.9', '3.10', '3.11', '3.12', '3.13')
# The lowest version of each that compat.REQUIREMENTS lets in, and of what they
# use a version that they run with.
OLDEST = {
    'torch': '1.13.1',
    'mmengine': '0.8.0',
    'mmcv-lite': '2.0.0',
    'mmaction2': '1.1.0',
    'numpy': '1.26.4',
    'opencv-python': '4.11.0.86',
    'opencv-contrib-python': '4.11.0.86',
    'yapf': '0.40.1'
}
# of the others requirements.txt has what is newest, mmcv-lite aside:
# mmaction2 refuses 2.2
NEWEST = {'torch': '2.14.1'}
FAST = ('tests/schedule', 'tests/models', 'tests/config',
        'tests/profiling/test_runs.py', 'tests/cli', 'tests/test_compat.py',
        'tests/test_fuzz.py')


def pins(others):
    """Lines of requirements.txt, with other versions of some."""
    lines = Path('requirements.txt').read_text().splitlines()
    kept = [
        line for line in lines
        if line and line[0] != '#' and line.split('==')[0] not in others
    ]
    return kept + [f'{name}=={version}' for name, version in others.items()]


STACKS = [
    nox.param('3.9', OLDEST, id='oldest'),
    nox.param('3.12', NEWEST, id='newest'),
    *(nox.param(python, {}, id=f'python{python}') for python in PYTHONS)
]


@nox.session
@nox.parametrize('python,others', STACKS)
def stack(session, others):
    """Install a stack and run tests on it."""
    session.install(*pins(others))
    session.install('--no-deps', '--no-build-isolation', '.')
    session.run('python', '-m', 'pytest', *(session.posargs or FAST))
