"""Run the commands from the wheel, outside of the repository."""

import tarfile
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import mmaction_multigrid
import pytest
from mmengine.config import Config

from ..conftest import ROOT
from ..profiling.test_runs import FIRST, RESUMED, write
from ..wheel import repository_files as files

K400 = ('recognition/slowfast/'
        'slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py')
TINY = ('recognition/slowfast/'
        'slowfast-tiny_1xb4-16x4x1-steplr-70e_utd-mhad-depth-rgb.py')
HERE = (f"_base_ = ['{ROOT / 'configs' / K400}']\n"
        'multigrid = dict(epoch_factor=1.)\n')
# Packages that MMAction2 does not need are imported where they are used.
STOCK = """
import sys
sys.modules.update(av=None, sklearn=None)
from mmaction_multigrid.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
# Where mmengine, as mim, looks for a config.
FIND = f"""
from mmengine.config.utils import _get_cfg_metainfo
from mmengine.utils import get_installed_path
path = get_installed_path('mmaction_multigrid')
print(path, _get_cfg_metainfo(path, '{TINY}')['Config'])
"""


def test_wheel_and_sdist_carry_package_and_mim(built):
    package = {
        name
        for name in files('mmaction_multigrid')
        if not (ROOT / name).is_symlink()
    }
    tools = {
        name
        for name in files('tools')
        if name.split('/')[1] not in ('README.md', 'benchmark', 'maintain',
                                      'study')
    }
    mim = {
        f'mmaction_multigrid/.mim/{name}'
        for name in files('configs') | tools | {'model-index.yml'}
    }
    assert 'mmaction_multigrid/py.typed' in package and len(mim) > 40
    wheel, = built.glob('*.whl')
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        about, = (name for name in names if name.endswith('/METADATA'))
        about = Parser().parsestr(archive.read(about).decode())
    assert {name
            for name in names
            if '.dist-info/' not in name} == {*package, *mim}
    assert about['Version'] == mmaction_multigrid.__version__
    assert {'dev', 'store', 'tutorial'} <= set(about.get_all('Provides-Extra'))
    # Neither torch nor mm*: they are the user's.
    assert [
        text for text in about.get_all('Requires-Dist') if 'extra' not in text
    ] == ['setuptools<82', 'importlib_metadata']
    sdist, = built.glob('*.tar.gz')
    with tarfile.open(sdist) as archive:
        members = {member.name.partition('/')[2]: member for member in archive}
    assert package | mim | {
        'pyproject.toml', 'README.md', 'LICENSE', 'CHANGELOG.md',
        'CITATION.cff'
    } <= {name
          for name, member in members.items() if member.isfile()}
    assert not [
        name for name, member in members.items()
        if member.issym() or name.startswith('tests')
    ]


def test_mim_finds_metafile_configs_and_tools(python, installed, tmp_path):
    (tmp_path / 'find.py').write_text(FIND)
    path, config = python('find.py', cwd=tmp_path).split()
    assert Path(path).is_relative_to(installed.parents[1])
    assert (Path(path) / '.mim' / config).is_file()
    assert '--work-dir' in python(
        Path(path) / '.mim' / 'tools' / 'train.py', '-h', cwd=tmp_path)


@pytest.fixture
def command(python, tmp_path):
    """Run a command beside the stack alone, and return its output."""
    (tmp_path / 'stock.py').write_text(STOCK)
    return lambda *args: python('stock.py', *args, cwd=tmp_path)


def test_commands(command, tmp_path, small_config, digits):
    (tmp_path / 'here.py').write_text(HERE)
    command('resolve', 'here.py', 'resolved.py')
    assert Config.fromfile(tmp_path /
                           'resolved.py').train_cfg.max_epochs == 239
    assert '239 epochs, ' in command('schedule', 'here.py')
    assert 'speed-up:' in command('check', small_config)
    assert '4 videos: 4 fine' in command('videos', digits / 'val.txt',
                                         '--root', digits)
    write(tmp_path / 'run', FIRST, RESUMED)
    assert '87.5 %' in command('report', 'run')


def test_commands_of_the_store(command, small_config, digits):
    """Decord reads the originals, so that PyAV is not needed."""
    command('store', 'build', digits / 'val.txt', 'store', '--root', digits,
            '--config', small_config, '--processes', 1)
    assert '4 videos, 8 copies, 0 of them damaged' in command(
        'store', 'check', 'store')
