"""Write the files of a pull request to MMAction2: ``projects/multigrid`` in the form of its own projects.

    python tools/maintain/export_upstream.py OUT [--formatters FOLDER] [--mmengine]

OUT is the root of MMAction2's source tree, or any folder. Files are laid out by its formatters, which are found in FOLDER
(``bin`` of an environment with tools/maintain/requirements_upstream.txt, Python 3.8 to 3.11) or on the path; without
them the export is the same program, on long lines. With ``--mmengine`` it is the parts that know nothing of video, and
OUT is mmengine's source tree. docs/upstream.md says what goes where.
"""

import argparse
import ast
import re
import sys
from pathlib import Path
from typing import Dict, List

import yaml
from mmengine.config import Config
from upstream_files import BASES, EXPLICIT, LEFT_OUT, MMENGINE, NAMES, PACKAGE, PAIRS, TESTS
from upstream_format import find_formatters, lay_out

import mmaction_multigrid

ROOT = Path(__file__).resolve().parents[2]
UPSTREAM = Path(__file__).parent / 'upstream'
PROJECT = Path('projects', 'multigrid')
NAME, THEIR_NAME = 'mmaction_multigrid', 'multigrid'
COPYRIGHT = '# Copyright (c) OpenMMLab. All rights reserved.\n'
PARTS = ('custom_imports', 'train_cfg', 'param_scheduler', 'train_dataloader', 'default_hooks', 'custom_hooks')


def read_package() -> Dict[str, str]:
    """Source of each file of the package, by its path in the project."""
    package = ROOT / NAME
    paths = [package / '__init__.py', *(path for room in PACKAGE for path in sorted((package / room).glob('*.py')))]
    names = {path: path.relative_to(package).as_posix() for path in paths}
    files = {f'{THEIR_NAME}/{name}': path.read_text() for path, name in names.items() if name not in LEFT_OUT}
    for name in LEFT_OUT:  # nobody else imports from it
        for path in files:
            files[path] = without_import(files[path], Path(name).stem)
    return files


def read_tests() -> Dict[str, str]:
    """The same of the tests."""
    folder = ROOT / 'tests'
    paths = [path for pattern in TESTS for path in sorted(folder.glob(pattern))]
    return {f'tests/{path.relative_to(folder).as_posix()}': path.read_text() for path in paths}


def without_import(source: str, module: str) -> str:
    """Without the line that imports from a neighbouring module, and the names that it brought to ``__all__``."""
    match = re.search(rf'^from \.{module} import (.*)\n', source, re.M)
    if match is None:
        return source
    source = source.replace(match.group(), '')
    for name in match.group(1).split(', '):
        source = re.sub(rf"'{name}',?\s?", '', source)
    return source


def without(source: str, names: List[str]) -> str:
    """Without these functions and assignments, without tests by hypothesis, and without imports that were theirs."""
    tree, lines = ast.parse(source), source.split('\n')
    for node in reversed(tree.body):
        decorators = getattr(node, 'decorator_list', [])
        targets = [getattr(target, 'id', None) for target in getattr(node, 'targets', [])]
        random = [node.value] if isinstance(node, ast.Assign) else decorators
        if {getattr(node, 'name', None), *targets} & set(names) or any(_used(part) & {'given', 'st'} for part in random):
            del lines[min(part.lineno for part in (node, *decorators)) - 1:node.end_lineno]
    tree = ast.parse('\n'.join(lines))
    used = _used(tree)
    for node in reversed(tree.body):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and 'noqa' not in lines[node.lineno - 1]:
            kept = [alias for alias in node.names if (alias.asname or alias.name).split('.')[0] in used
                    and getattr(node, 'module', None) != 'hypothesis']
            if len(kept) < len(node.names):
                node.names = kept
                lines[node.lineno - 1:node.end_lineno] = [ast.unparse(node)] if kept else []
    return re.sub(r'\n{4,}', '\n\n\n', '\n'.join(lines).strip() + '\n')


def _used(tree: ast.AST) -> set:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def edit(files: Dict[str, str], project: str) -> Dict[str, str]:
    """The files with the changes of upstream/PROJECT.diff, and without what :data:`NAMES` says.

    Raises:
        ValueError: What a change replaces is not there once.
    """
    edited = dict(files)
    for change in re.split('^=== ', (UPSTREAM / f'{project}.diff').read_text(), flags=re.M)[1:]:
        path, *hunks = change.rstrip('\n').split('\n@@\n')
        for lines in (hunk.split('\n') for hunk in hunks):
            old, new = (''.join(line[1:] + '\n' for line in lines if not line.startswith(other)) for other in '+-')
            if edited[path].count(old) != 1:
                raise ValueError(f'tools/maintain/upstream/{project}.diff: {path} has not once {old!r}; it has changed')
            edited[path] = edited[path].replace(old, new)
    code = [path for path in edited if path.endswith('.py') and not path.endswith('__init__.py')]
    return {**edited, **{path: for_python37(without(edited[path], NAMES.get(path, []))) for path in code
                         if not path.startswith('configs')}}


def for_python37(source: str) -> str:
    """Without an argument that Python 3.7 does not have."""
    return re.sub(r'^( *)(\S.*)\.unlink\(missing_ok=True\)$', r'\1if \2.exists():\n\1    \2.unlink()', source, flags=re.M)


def make_configs() -> Dict[str, str]:
    """Configs in the explicit form, their baselines, and what these inherit from."""
    recognition, base = ROOT / 'configs' / 'recognition', ROOT / 'configs' / '_base_'
    files = {Path(EXPLICIT).name.replace('-explicit', ''): (recognition / EXPLICIT).read_text()}
    for pair in PAIRS:
        baseline, multigrid = (Path(path).name for path in pair)
        files[baseline] = (recognition / pair[0]).read_text()
        files[multigrid] = explicit_form(baseline, *(Config.fromfile(recognition / path) for path in pair))
    files.update({f'_base_/{path}': (base / path).read_text() for path in BASES})
    return {f'configs/{path}': text.replace('../../_base_', '_base_') for path, text in files.items()}


def explicit_form(name: str, baseline: Config, cfg: Config) -> str:
    """A config that inherits from its baseline, which has this name, and writes out what multigrid training changes."""
    resolved = mmaction_multigrid.apply_multigrid(cfg).to_dict()
    changes = difference(baseline.to_dict(), {key: resolved[key] for key in PARTS})
    return '\n'.join([f"_base_ = ['{name}']", *(f'{key} = {plain(changes[key])}' for key in PARTS)]) + '\n'


def difference(base: dict, other: dict) -> dict:
    """What a config has to say to make another dict of the one that it inherits."""
    changes = {}
    for key, value in other.items():
        if key in base and base[key] == value:
            continue
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            value = dict(value, _delete_=True) if set(base[key]) - set(value) else difference(base[key], value)
        changes[key] = value
    return changes


def plain(value) -> str:
    """A value of a config as their configs write it: dicts by ``dict``."""
    if isinstance(value, dict):
        entries = (f'{key}={plain(entry)}' for key, entry in value.items() if key != '_scope_')
        return f'dict({", ".join(entries)})'
    if isinstance(value, list):
        return f'[{", ".join(map(plain, value))}]'
    if isinstance(value, tuple):
        return f'({", ".join(map(plain, value))}{"," * (len(value) == 1)})'
    return repr(value)


def make_metafile(configs: List[str]) -> dict:
    """Collection and models of our metafile, for these configs."""
    content = yaml.safe_load((ROOT / 'configs' / 'metafile.yml').read_text())
    content['Models'] = [model for model in content['Models'] if Path(model['Config']).name in configs]
    for model in content['Models']:
        model['Config'] = str(PROJECT / 'configs' / Path(model['Config']).name)
    content['Collections'][0]['README'] = str(PROJECT / 'README.md')
    return content


def make_readme(models: List[dict]) -> str:
    """The README by their template, with a line for each result of the metafile."""
    row = '| [{name}](./configs/{name}.py) | {epochs} | {batch} | {top1:.2f} |'
    rows = [row.format(name=model['Name'], epochs=model['Metadata']['Epochs'], batch=model['Metadata']['Batch Size'],
                       top1=model['Results'][0]['Metrics']['Top 1 Accuracy']) for model in models]
    return (UPSTREAM / 'README.md').read_text().replace('{results}', '\n'.join(rows))


def project_files() -> Dict[str, str]:
    """Text of every file of the MMAction2 project, by its path below OUT."""
    files = {**read_package(), **read_tests(), **make_configs()}
    files['tools/moving_digits.py'] = (ROOT / 'tools' / 'data' / 'moving_digits.py').read_text()
    files = edit({path: text.replace(NAME, THEIR_NAME) for path, text in files.items()}, 'mmaction')
    metafile = make_metafile([Path(path).name for path in files if path.startswith('configs/')])
    files['metafile.yml'] = yaml.safe_dump(metafile, sort_keys=False)
    files['README.md'] = make_readme(metafile['Models'])
    return {str(PROJECT / path): text for path, text in files.items()}


def mmengine_files() -> Dict[str, str]:
    """The same of what mmengine could take."""
    files = edit({place: (ROOT / path).read_text() for path, place in MMENGINE.items()}, 'mmengine')
    return {path: COPYRIGHT + text for path, text in files.items()}


def write(out: Path, files: Dict[str, str]) -> List[Path]:
    """Write files below a folder.

    Raises:
        FileExistsError: One of them is there; none is written.
    """
    for name in files:
        if (out / name).exists():
            raise FileExistsError(f'{out / name}: is there; remove what was exported before to export anew')
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    return [out / name for name in files]


def main() -> int:
    """Export, and lay the files out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=Path, help="root of MMAction2's source tree, or any folder")
    parser.add_argument('--formatters', type=Path, help='folder of yapf, isort and the others')
    parser.add_argument('--mmengine', action='store_true', help='the parts for mmengine instead')
    args = parser.parse_args()
    programs, missing = find_formatters(args.formatters)
    files = write(args.out, mmengine_files() if args.mmengine else project_files())
    print(f'{args.out}: {len(files)} files')
    if missing:
        print(f'not laid out, for want of {", ".join(missing)}: pip install -r tools/maintain/requirements_upstream.txt '
              'in an environment of its own, and give its bin folder as --formatters')
        return 0
    return lay_out(args.out, files, programs, 'mmengine' if args.mmengine else 'mmaction')


if __name__ == '__main__':
    sys.exit(main())
