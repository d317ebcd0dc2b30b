"""Lay exported files out as MMAction2's pre-commit hooks do, and have its linters look at them."""

import shutil
import subprocess
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from narrow_lines import WIDTH, bracket_values, same_code, split_strings, wrap_comments, wrap_docstrings

# Their setup.cfg and .pre-commit-config.yaml, as arguments: OUT need not be their tree.
PEP8 = ('based_on_style: pep8, blank_line_before_nested_class_or_def: true, '
        'split_before_expression_after_opening_paren: true')
STYLES = dict(mmaction=f'{{{PEP8}, split_penalty_import_names: 0, split_penalty_after_opening_bracket: 800}}',
              mmengine=f'{{{PEP8}}}')
ARGUMENTS = dict(
    isort=('--line-length', '79', '--multi-line', '0', '--sd', 'THIRDPARTY', '--no-lines-before', 'STDLIB',
           '--no-lines-before', 'LOCALFOLDER', '--extra-builtin', 'pkg_resources', '--extra-builtin', 'setuptools'),
    yapf=('--in-place', '--parallel'),
    docformatter=('--in-place', '--wrap-descriptions', str(WIDTH)),
    mdformat=('--number', '--table-width', '200'),
    codespell=('-L', 'ECT,Gool,tread,gool,mot'),
    flake8=('--isolated', ))
ROUNDS = 12  # of splitting strings, or of formatters that undo each other's work


def find_formatters(folder: Optional[Path]) -> Tuple[Dict[str, str], List[str]]:
    """Paths of the programs, and names of those that are not there."""
    found = {name: shutil.which(name, path=str(folder) if folder else None) for name in ARGUMENTS}
    return found, [name for name, path in found.items() if path is None]


def lay_out(out: Path, files: Sequence[Path], programs: Dict[str, str], project: str) -> int:
    """Format files until nothing changes; 1 where a linter finds something.

    Args:
        out: The folder that all of them are in.
        files: Those to format.
        programs: Paths of the formatters.
        project: ``'mmaction'`` or ``'mmengine'``, whose style it shall be.

    Raises:
        RuntimeError: A formatter changed what a file does, or they never agree.
    """
    style = dict(isort=('--project', project), yapf=('--style', STYLES[project]))

    def run(name: str, paths: Sequence[Path], check: bool = True) -> int:
        names = [str(path.relative_to(out)) for path in paths]
        command = [programs[name], *ARGUMENTS[name], *style.get(name, ()), *names]
        return subprocess.run(command, cwd=out, check=check, stderr=None if check else subprocess.DEVNULL).returncode

    python, before = [path for path in files if path.suffix == '.py'], {}
    for path in python:
        before[path] = path.read_text()
        path.write_text(wrap_comments(wrap_docstrings(before[path])))
    _break_lines(python, run)
    for path in python:
        if not same_code(before[path], path.read_text()):
            raise RuntimeError(f'{path}: is another program now; tools/maintain/narrow_lines.py has a fault')
    for _ in range(ROUNDS):
        texts = [path.read_text() for path in python]
        run('isort', python)
        run('yapf', python)
        run('docformatter', python, check=False)  # 3 where it changes something
        if texts == [path.read_text() for path in python]:
            break
    else:
        raise RuntimeError(f'isort, yapf and docformatter do not agree after {ROUNDS} rounds')
    if any(path.suffix == '.md' for path in files):
        run('mdformat', [path for path in files if path.suffix == '.md'])
    return max(run('flake8', python, check=False), run('codespell', files, check=False))


def _break_lines(paths: Sequence[Path], run: Callable) -> None:
    """yapf and what it cannot break, in turn, until all lines are narrow enough or nothing changes."""
    for _ in range(ROUNDS):
        if paths:
            run('yapf', paths)
        paths = [path for path in paths if _change(path)]


def _change(path: Path) -> bool:
    source = path.read_text()
    new = bracket_values(split_strings(wrap_comments(source)))
    path.write_text(new)
    return new != source
