"""Test a checkpoint: MMAction2's tools/test.py, flag for flag.

python tools/test.py CONFIG CHECKPOINT [--dump OUT.pkl] [--cfg-options
KEY=VALUE ...]
"""

import runpy
from pathlib import Path

import mmaction_multigrid  # noqa: F401  patches and registers

import mmaction

STOCK = Path(mmaction.__file__).parent / '.mim' / 'tools' / 'test.py'


def main() -> None:
    """Test."""
    runpy.run_path(str(STOCK), run_name='__main__')


if __name__ == '__main__':
    main()
