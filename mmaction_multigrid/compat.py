"""Check the installed stack, and patch it on import.

Every patch acts once, and only where something is missing or unsafe. Each is a
line in the log of training, and on stderr with ``--debug`` of the commands.
``MMACTION_MULTIGRID_LEAVE_STACK=1`` leaves the stack as it is.
"""

import importlib.util

from .patches import LEAVE_STACK, PATCHES, is_set, release

# (module, lowest version, what to install). mmcv and mmcv-lite are the same
# module and overwrite each other, so that this package can require neither.
REQUIREMENTS = (
    ('torch', '1.13', 'pip install torch'),
    ('mmengine', '0.8.0', 'pip install "mmengine>=0.8"'),
    ('mmcv', '2.0.0', 'pip install "mmcv-lite>=2.0,<2.2" (or mmcv, which is '
     'the same module with compiled ops)'),
    ('mmaction', '1.1.0', 'pip install "mmaction2>=1.1"'),
)


def check_requirements() -> None:
    """Check that the stack is there and new enough.

    Raises:
        ImportError: A package is missing or too old; the message holds the
            command to run.
    """
    for name, minimum, remedy in REQUIREMENTS:
        installed = importlib.util.find_spec(name) is not None
        version = (
            importlib.import_module(name).__version__ if installed else 'none')
        if release(version) < release(minimum):
            raise ImportError(f'mmaction_multigrid needs {name}>={minimum}, '
                              f'but {version} is installed: {remedy}')


def prepare() -> None:
    """Check the stack, and patch it unless the environment forbids it."""
    check_requirements()
    if not is_set(LEAVE_STACK):
        for patch in PATCHES:
            patch()
