"""Every command from a wheel, in an environment of its own, outside of the repository."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from ..conftest import ROOT
from ..plan.test_runs import FIRST, RESUMED, write

K400 = ROOT / 'configs/recognition/slowfast/slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py'


def call(*command, cwd, status=0):
    result = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert result.returncode == status, result.stdout[-2000:] + result.stderr[-4000:]
    return result.stdout


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """The scripts' folder of an environment that holds the wheel, and of what it stands on what this one holds."""
    folder = tmp_path_factory.mktemp('installed')
    source = folder / 'source'
    files = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard', 'mmaction_multigrid',
                            'setup.py', 'pyproject.toml', 'README.md'], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, files.decode().split('\0')):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip = (sys.executable, '-m', 'pip', '--disable-pip-version-check')
    call(*pip, 'wheel', '--no-deps', '--no-build-isolation', '--no-index', '-w', folder / 'wheels', source, cwd=folder)
    call(sys.executable, '-m', 'venv', '--without-pip', folder / 'env', cwd=folder)
    python = folder / 'env' / 'bin' / 'python'
    site = Path(call(python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))', cwd=folder).strip())
    # A plain path: the link to this repository, which is in a .pth file there, is not followed.
    (site / 'stack.pth').write_text(sysconfig.get_path('purelib') + '\n')
    wheel, = (folder / 'wheels').iterdir()
    call(*pip, '--python', python, 'install', '--no-deps', '--no-index', '--ignore-installed', wheel, cwd=folder)
    return folder / 'env' / 'bin'


def test_it_is_the_wheel(installed, tmp_path):
    code = 'import mmaction_multigrid; print(mmaction_multigrid.__file__)'
    where = call(installed / 'python', '-c', code, cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_schedule_equals_the_reference(installed, tmp_path):
    printed = call(installed / 'python', '-m', 'mmaction_multigrid', 'schedule', K400, '--format', 'json', cwd=tmp_path)
    info = json.loads(printed)
    output = json.loads((ROOT / 'tests/reference/k400_slowfast_8x8.json').read_text())['output']
    assert info['max_epochs'] == output['max_epochs']
    assert [stage['end'] for stage in info['stages']] == [end for _, _, end in output['schedule']]
    assert [stage['shapes'][-1] for stage in info['stages']] == [shape for _, shape, _ in output['schedule']]
    factors = zip(output['steps'], output['lrs'])
    assert info['lr_factors'] == [[step, pytest.approx(lr, rel=1e-12)] for step, lr in factors]


def test_the_other_commands(installed, tmp_path, small_config, digits):
    script = installed / 'mmaction-multigrid'
    call(script, 'resolve', K400, 'resolved.py', cwd=tmp_path)
    assert (tmp_path / 'resolved.py').is_file()
    assert 'speed-up:' in call(script, 'check', small_config, cwd=tmp_path)
    call(script, 'store', 'build', digits / 'val.txt', 'store', '--root', digits, '--config', small_config, '--processes',
         1, cwd=tmp_path)
    assert '4 videos' in call(script, 'store', 'info', 'store', cwd=tmp_path)
    assert '0 of them not whole' in call(script, 'store', 'check', 'store', cwd=tmp_path)
    assert '4 videos: 4 fine' in call(script, 'videos', digits / 'val.txt', '--root', digits, cwd=tmp_path)
    write(tmp_path / 'run', FIRST, RESUMED)
    assert '87.5 %' in call(script, 'report', 'run', cwd=tmp_path)
    call(script, 'schedule', 'nowhere.py', cwd=tmp_path, status=2)
