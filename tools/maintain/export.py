"""Copy the core into a clone of MMAction2, as one of its projects.

python tools/maintain/export.py MMACTION2
"""

import argparse
import shutil
from pathlib import Path
from typing import Dict

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ('slowfast_r50-multigrid-explicit_8xb8-8x8x1-steplr-358e_'
          'kinetics400-rgb.py')
# Tests that need neither the rest of the package nor hypothesis.
TESTS = ('__init__.py', 'batches.py', 'test_alone.py',
         'test_norm_conversion.py', 'test_precise_bn.py',
         'test_sub_batch_norm.py')


def project_files() -> Dict[str, Path]:
    """Map names in ``projects/multigrid`` to files of this repository."""
    core = ROOT / 'mmaction_multigrid' / 'core'
    files = {
        f'mmaction_multigrid/core/{path.name}': path
        for path in sorted(core.glob('*.py'))
    }
    files['README.md'] = core / 'README.md'
    files[f'configs/{CONFIG}'] = (
        ROOT / 'configs' / 'recognition' / 'slowfast' / CONFIG)
    for name in TESTS:
        files[f'tests/{name}'] = ROOT / 'tests' / 'core' / name
    return files


def export(clone: Path) -> Path:
    """Copy the files, and return the project's folder.

    Raises:
        FileNotFoundError: ``clone`` is no clone of MMAction2.
    """
    if not (clone / 'projects').is_dir():
        raise FileNotFoundError(
            f'{clone}: has no folder projects; give a clone of MMAction2')
    project = clone / 'projects' / 'multigrid'
    for name, path in project_files().items():
        target = project / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return project


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('clone', type=Path, help='a clone of MMAction2')
    print(export(parser.parse_args().clone))
