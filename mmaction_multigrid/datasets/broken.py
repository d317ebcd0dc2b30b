"""Which errors are a broken file's."""

import errno
from typing import Any, Optional

from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from .rules import RULES, transform_name
from .transform import MultigridTransform

# Of the machine: the next clip would fail as well.
MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
# Of code, unless it is a decoder's: what it gets from a broken file may be None, say.
CODE = (TypeError, AttributeError, NameError, NotImplementedError)


def is_of_the_file(error: Exception) -> bool:
    """Whether an error that a clip was loaded with says that its file is broken.

    Not if memory, disk or file handles ran out, if something is not installed, or if code is wrong: that is, has the
    wrong type, name or attribute, and not in a transform whose rule says that it reads the file.
    """
    if isinstance(error, (MemoryError, ImportError)) or (isinstance(error, OSError) and error.errno in MACHINE):
        return False
    return not isinstance(error, CODE) or _reads(_failed_step(error))


def _failed_step(error: Exception) -> Optional[BaseTransform]:
    """The step of the pipeline that an error comes from; None: from elsewhere."""
    traceback = error.__traceback__
    while traceback is not None:
        owner = traceback.tb_frame.f_locals.get('self')
        if isinstance(owner, BaseTransform) and not isinstance(owner, MultigridTransform):
            return owner
        traceback = traceback.tb_next
    return None


def _reads(step: Any) -> bool:
    return any(rule.reads and (name == transform_name(step) or TRANSFORMS.get(name) is type(step))
               for name, rule in RULES.items())
