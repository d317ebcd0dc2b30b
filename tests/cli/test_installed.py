"""Wheel and sdist, and every command from the wheel in an environment of its
own, outside of the repository."""

import tarfile
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import mmaction_multigrid
from mmaction_multigrid import apply_multigrid
from mmengine.config import Config

from ..conftest import ROOT
from ..profiling.test_runs import FIRST, RESUMED, write
from ..wheel import call
from ..wheel import repository_files as files

K400 = ('recognition/slowfast/'
        'slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py')
TINY = ('recognition/slowfast/'
        'slowfast-tiny_1xb8-16x1x1-steplr-4e_moving-digits16-rgb.py')
HERE = (f"_base_ = ['mmaction_multigrid::{K400}']\n"
        'multigrid = dict(epoch_factor=1.)\n')
# Of what MMAction2 does without, nothing is imported before it is used.
STOCK = """
import sys
sys.modules.update(av=None, sklearn=None)
from mmaction_multigrid.__main__ import main
sys.exit(main(sys.argv[1:]))
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
        assert {
            name
            for name in archive.namelist() if '.dist-info/' not in name
        } == package | mim
        about, = (
            name for name in archive.namelist() if name.endswith('/METADATA'))
        about = Parser().parsestr(archive.read(about).decode())
    assert about['Version'] == mmaction_multigrid.__version__
    assert {'dev', 'store', 'tutorial'} <= set(about.get_all('Provides-Extra'))
    needed = [
        text for text in about.get_all('Requires-Dist') if 'extra' not in text
    ]
    # no torch, no mm*: they are the user's
    assert needed == ['setuptools<82', 'importlib_metadata']
    sdist, = built.glob('*.tar.gz')
    with tarfile.open(sdist) as archive:
        members = {member.name.partition('/')[2]: member for member in archive}
    carried = package | mim | {
        'pyproject.toml', 'README.md', 'LICENSE', 'CHANGELOG.md',
        'CITATION.cff'
    }
    assert (carried <=
            {name
             for name, member in members.items() if member.isfile()})
    assert not [
        name for name, member in members.items()
        if member.issym() or name.startswith('tests')
    ]


def test_mim_finds_metafile_configs_and_tools(installed, tmp_path):
    """Where mmengine, as mim, looks: in .mim of the folder that the installer
    tells, which is not this repository."""
    code = ('from mmengine.config.utils import _get_cfg_metainfo; from '
            'mmengine.utils import get_installed_path;path = '
            'get_installed_path("mmaction_multigrid"); print(path, '
            f'_get_cfg_metainfo(path, "{TINY}")["Config"])')
    path, config = call(
        installed / 'python', '-W', 'ignore', '-c', code,
        cwd=tmp_path).split()
    assert Path(path).is_relative_to(installed.parent)
    assert (Path(path) / '.mim' / config).is_file()
    assert '--work-dir' in call(
        installed / 'python', (Path(path) / '.mim' / 'tools' / 'train.py'),
        '-h',
        cwd=tmp_path)


def test_commands_beside_what_mmaction2_brings(installed, tmp_path,
                                               small_config, digits):
    stock = (installed / 'python', '-W', 'ignore', '-c', STOCK)
    (tmp_path / 'here.py').write_text(HERE)
    call(*stock, 'resolve', 'here.py', 'resolved.py', cwd=tmp_path)
    assert Config.fromfile(tmp_path /
                           'resolved.py').train_cfg.max_epochs == 239
    assert '239 epochs, ' in call(*stock, 'schedule', 'here.py', cwd=tmp_path)
    assert 'speed-up:' in call(*stock, 'check', small_config, cwd=tmp_path)
    assert '4 videos: 4 fine' in call(
        *stock, 'videos', digits / 'val.txt', '--root', digits, cwd=tmp_path)
    write(tmp_path / 'run', FIRST, RESUMED)
    assert '87.5 %' in call(*stock, 'report', 'run', cwd=tmp_path)


def test_commands_of_the_store(installed, tmp_path, small_config, digits):
    """PyAV is not needed where decord reads the originals."""
    stock = installed / 'python', '-W', 'ignore', '-c', STOCK
    build = ('store', 'build', digits / 'val.txt', 'store', '--root', digits,
             '--config', small_config, '--processes', 1)
    call(*stock, *build, cwd=tmp_path)
    assert '4 videos' in call(*stock, 'store', 'info', 'store', cwd=tmp_path)
    assert '0 of them damaged' in call(
        *stock, 'store', 'check', 'store', cwd=tmp_path)


def test_a_base_by_name_is_the_one_by_path(tmp_path):
    """In the checkout, too, which no installer knows the place of; it says
    whose registries to use."""
    (tmp_path /
     'name.py').write_text(f"_base_ = ['mmaction_multigrid::{K400}']\n")
    (tmp_path /
     'path.py').write_text(f"_base_ = ['{ROOT / 'configs' / K400}']\n")
    texts = [
        apply_multigrid(Config.fromfile(tmp_path / name)).dump().replace(
            "_scope_='mmaction',", '') for name in ('name.py', 'path.py')
    ]
    assert texts[0].split() == texts[1].split()
