"""Check the installed stack, and patch it on import.

A patch changes something only if it is missing, broken or unsafe. The log of
training has a line for each change, and ``--debug`` of the commands prints
these lines to stderr. ``MMACTION_MULTIGRID_LEAVE_STACK=1`` turns patches off.
"""

import importlib.util
import os

from torch.torch_version import TorchVersion

from .patches import LEAVE_STACK, PATCHES

# (module, lowest version, command to run). The package cannot require mmcv or
# mmcv-lite: both install the same module, and one would overwrite the other.
REQUIREMENTS = (
    ('torch', '1.13', 'pip install torch'),
    ('mmengine', '0.8.0', 'pip install "mmengine>=0.8"'),
    ('mmcv', '2.0.0', 'pip install "mmcv-lite>=2.0,<2.2" (or mmcv, which is '
     'the same module with compiled ops)'),
    ('mmaction', '1.1.0', 'pip install "mmaction2>=1.1"'),
)


def check_requirements() -> None:
    """Check that the stack is installed and new enough.

    Raises:
        ImportError: A package is missing or too old; the message holds the
            command to run.
    """
    for name, minimum, remedy in REQUIREMENTS:
        installed = importlib.util.find_spec(name) is not None
        version = (
            importlib.import_module(name).__version__ if installed else 'none')
        if not installed or TorchVersion(version) < minimum:
            raise ImportError(f'mmaction_multigrid needs {name}>={minimum}, '
                              f'but {version} is installed: {remedy}')


def prepare() -> None:
    """Check the stack, and patch it unless the environment forbids it."""
    check_requirements()
    if os.environ.get(LEAVE_STACK) != '1':
        for patch in PATCHES:
            patch()
