"""Which errors are a broken file's."""

import errno
from typing import Any, Optional

from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..survival import CrashedFile
from .rules import RULES, TransformRule, transform_name
from .transform import MultigridTransform

# Of the machine: the next clip would fail as well.
MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


def is_of_the_machine(error: Exception) -> bool:
    """Whether memory, disk or file handles ran out, or a package is missing."""
    return (isinstance(error, (MemoryError, ImportError))
            or isinstance(error, OSError) and error.errno in MACHINE)


def is_of_the_file(error: Exception) -> bool:
    """Whether an error in loading a clip says that its file is broken.

    It does where a transform raised it whose rule says that it reads the
    file, or where the file crashed a data worker before.
    """
    if isinstance(error, CrashedFile):
        return True
    rule = _find(failed_step(error))
    return (rule is not None and rule.reads
            and not is_of_the_machine(error))


def failed_step(error: Exception) -> Any:
    """The transform that an error comes from; None: from elsewhere."""
    traceback = error.__traceback__
    while traceback is not None:
        owner = traceback.tb_frame.f_locals.get('self')
        if (isinstance(owner, BaseTransform) or _find(owner)) \
                and not isinstance(owner, MultigridTransform):
            return owner
        traceback = traceback.tb_next
    return None


def describe_mistake(error: Exception, dataset: Any, clip: str) -> str:
    """What failed on which clip, for an error that is not a file's."""
    step = failed_step(error)
    name = transform_name(dataset if step is None else step)
    text = f'{name} failed on {clip}: {type(error).__name__}: {error}'
    if step is None:
        return f'{text}. Only errors of the file cost a clip'
    return (f'{text}. Only errors of transforms that read the file cost a '
            f'clip: register_transform_rule({name!r}, reads=True)')


def _find(step: Any) -> Optional[TransformRule]:
    """The rule of a transform, which may be registered by another name."""
    for name, rule in RULES.items():
        if name == transform_name(step) or TRANSFORMS.get(name) is type(step):
            return rule
    return None
