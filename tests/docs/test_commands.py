"""Run the commands that the pages show."""

import re
import shlex
import shutil
from types import SimpleNamespace

import pytest
from mmaction_multigrid.__main__ import main
from mmaction_multigrid.profiling import steps

from ..conftest import ROOT
from ..profiling.test_runs import FIRST, RESUMED, write
from ..small import STOCK_TOOLS, load_tool, run
from ..stock_paths.families import FAMILIES
from .pages import FINE_TUNING, PAGES, TUTORIAL, commands

NEEDS = re.compile(
    r' # .*\bneeds (GPUs|data|Slurm|openmim|an account|a browser)\b')
# tests/docs/test_guides.py runs the blocks of these as they stand.
GUIDES = {*commands(TUTORIAL), *commands(FINE_TUNING)}
# How commands begin that another test runs.
INSTALLS = ('pip install .', "pip install '.[", 'pip install dist/',
            'python -m build', 'mmaction-multigrid')
LAUNCHES = ('tools/dist_train.sh CONFIG 8', 'NNODES=2', 'RESTARTS=3',
            'torchrun', 'GPUS=16', 'srun')
ELSEWHERE = {
    'make demo':
    'tests/tools/test_demo.py',
    'python stand_in.py':
    'tests/stock_paths/test_without_package.py',
    'make test':
    '.ci/run',
    **dict.fromkeys(INSTALLS, 'tests/cli/test_installed.py'),
    **dict.fromkeys(LAUNCHES, 'tests/tools/test_distributed.py'),
    'python tools/study/run.py i3d':
    'tests/tools/test_study.py',
    'python tools/maintain/export.py':
    'tests/tools/test_export.py',
}


def is_run_elsewhere(line):
    return line in GUIDES or any(line.startswith(begin) for begin in ELSEWHERE)


FOUND = sorted({
    shlex.join(
        shlex.split(re.sub(r'\[(--[^]]+)\]', r'\1', line), comments=True))
    for page in PAGES for line in commands(page.read_text())
    if not NEEDS.search(line) and not is_run_elsewhere(line)
})
TO_RUN = [
    pytest.param(line, marks=[pytest.mark.long] * ('benchmark' in line))
    for line in FOUND
]


@pytest.fixture(scope='module')
def stand_ins(tmp_path_factory, digits):
    """Make config, data and run for the names in capitals."""
    folder = tmp_path_factory.mktemp('commands')
    for part in ('tools', 'configs'):
        (folder / part).symlink_to(ROOT / part)
    config, trained = folder / 'config.py', folder / 'run'
    family = FAMILIES['slowonly']._replace(batch_size=1)
    config.write_text(family.text(str(digits)))
    run(STOCK_TOOLS / 'train.py', config, '--work-dir', trained)
    main([
        'store', 'build',
        str(folder / 'store'), '--config',
        str(config), '--processes', '1'
    ])
    write(folder / 'baseline', FIRST, RESUMED)
    checkpoint = min(trained.glob('epoch_*.pth'))
    return SimpleNamespace(
        folder=folder,
        words=dict(
            CONFIG=config,
            LIST=digits / 'train.txt',
            VIDEOS=digits,
            FOLDER=digits,
            STORE=folder / 'store',
            CLEAN_LIST=folder / 'clean.txt',
            WORK_DIR=trained,
            BASELINE_WORK_DIR=folder / 'baseline',
            NEW_WORK_DIR=folder / 'new',
            CHECKPOINT=checkpoint))


@pytest.mark.parametrize('line', TO_RUN)
def test_a_command_runs(stand_ins, monkeypatch, tmp_path, line):
    monkeypatch.chdir(stand_ins.folder)
    monkeypatch.setattr(steps, 'STEP_SECONDS', 0)  # figures are not looked at
    monkeypatch.setattr(steps, 'CLIPS', 1)
    line = re.sub(r'\b[A-Z][A-Z_]+\b',
                  lambda match: str(stand_ins.words.get(match[0], match[0])),
                  line)
    program, tool, *args = shlex.split(line)
    assert program == 'python', ('nobody runs it: mark what it '
                                 'needs, or name the test that does')
    if tool == '-m':
        assert args[0] == 'mmaction_multigrid'
        assert main(args[1:]) == 0
    elif tool in ('tools/train.py', 'tools/test.py'):
        # its name and the second are the run's
        args[0] = shutil.copy(args[0], str(tmp_path / f'{tmp_path.name}.py'))
        monkeypatch.setattr('sys.argv', [
            tool, *args, *(() if '--work-dir' in args else
                           ('--work-dir', str(tmp_path)))
        ])
        monkeypatch.setenv('LOCAL_RANK', '0')  # which they set for launchers
        load_tool(tool[len('tools/'):-len('.py')]).main()
    else:
        run(tool, *args)


def test_every_page_is_read():
    assert len(TO_RUN) > 20
    for path in ELSEWHERE.values():
        assert (ROOT / path).is_file(), path
    lines = [line for page in PAGES for line in commands(page.read_text())]
    for begin in ELSEWHERE:
        assert any(line.startswith(begin)
                   for line in lines), f'no page shows {begin}'
