"""Run a formatter that imports lib2to3, which Python 3.13 no longer has.

    python tools/maintain/with_lib2to3.py yapf --in-place FILE...

fissix, a copy of lib2to3 from the package index, takes its place.
"""

import runpy
import sys

import fissix.fixer_util  # noqa: F401
import fissix.pgen2.driver  # noqa: F401

for name, module in list(sys.modules.items()):
    if name.split('.')[0] == 'fissix':
        sys.modules[name.replace('fissix', 'lib2to3', 1)] = module
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
