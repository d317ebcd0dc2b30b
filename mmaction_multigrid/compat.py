"""What the installed stack needs before this package can stand on it.

Everything here acts once, on import, and only where something is missing or
unsafe. Every change is a line in the log of training, and on stderr with the
commands' ``--debug``; ``MMACTION_MULTIGRID_LEAVE_STACK=1`` has the installed
stack left as it is.
"""

import importlib

from . import patches
from .patches import LEAVE_STACK, release

# (module, lowest version, what to install). mmcv and mmcv-lite provide the same module and
# overwrite each other, so this package can declare neither: it checks and says.
REQUIREMENTS = (
    ('torch', '1.13', 'pip install torch'),
    ('mmengine', '0.8.0', 'pip install "mmengine>=0.8"'),
    ('mmcv', '2.0.0', 'pip install "mmcv-lite>=2.0,<2.2" (or mmcv, which is the same module with compiled ops)'),
    ('mmaction', '1.1.0', 'pip install "mmaction2>=1.1"'),
)


def check_requirements() -> None:
    """Check that the stack is there and new enough.

    Raises:
        ImportError: A package is missing or too old; the message holds the command to run.
    """
    for name, minimum, remedy in REQUIREMENTS:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ImportError(f'mmaction_multigrid needs {name}>={minimum}, which is not installed: {remedy}') from None
        version = getattr(module, '__version__', '0')
        if release(version) < release(minimum):
            raise ImportError(f'mmaction_multigrid needs {name}>={minimum}, but {version} is installed: {remedy}')


def prepare() -> None:
    """Check the stack, then mend what is known to be broken in it, unless the environment says not to."""
    check_requirements()
    if not patches.is_set(LEAVE_STACK):
        patches.patch_missing_drn()
        patches.patch_multimodal()
        patches.patch_checkpoint_loading()
        patches.serve_configs()
        patches.patch_numpy_2()
        patches.patch_pyav_counts()
